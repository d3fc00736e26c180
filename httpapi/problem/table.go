package problem

import "net/http"

// The table of problems, in the order of the protocol.
var (
	MalformedJSON = Type{"malformed-json", http.StatusBadRequest, "The body is not valid JSON",
		"The body of the request could not be read as one JSON value in UTF-8 (RFC 8259). The detail says at which byte it went wrong. JSON nested more than 100 levels deep and unpaired surrogates in strings are refused as well, because many receivers cannot read them."}
	UnknownSession = Type{"unknown-session", http.StatusUnauthorized, "The session is not known",
		"The request needs the session token that the event “connected” brought, as “Authorization: Bearer <token>”. It had none, a malformed one, or one whose socket has ended: it disconnected, or stayed away longer than the resume window. Open a new stream (GET /events), take the token from its first event, and join the room again."}
	UnknownOperator = Type{"unknown-operator", http.StatusUnauthorized, "This is for the operators of the server",
		"What is going on in the server is told to its operators only. The request needs the token that the server was given as ADMIN_TOKEN, as “Authorization: Bearer <token>”. It had none, or another."}
	AccessDenied = Type{"access-denied", http.StatusForbidden, "Access to the room was denied",
		"This server admits to its rooms only those who show an access token. The one in “accessToken” is missing, wrong, expired, or for another room or user. Ask whoever issues the tokens for a new one."}
	OriginNotAllowed = Type{"origin-not-allowed", http.StatusForbidden, "Pages of this origin may not use the server",
		"A browser sent this for a page of another origin, which is not among those that the server's operator allows (CORS_ORIGIN). It did nothing."}
	OperatorsOnly = Type{"operators-only", http.StatusForbidden, "This is for the operators of the server",
		"What is going on in the server is told to its operators only, and this one, which runs in production, knows none. Whoever runs it sets ADMIN_TOKEN to a secret of 16 characters or more, and sends that as “Authorization: Bearer <token>”."}
	TargetNotFound = Type{"target-not-found", http.StatusNotFound, "The target is not in your room",
		"A member may signal only other sockets of its own room. The target is no member's socket ID: it may have left, be in another room, be yourself, or never have been. Watch “user-disconnected” to know when a peer is gone."}
	NotFound = Type{"not-found", http.StatusNotFound, "There is nothing here",
		"No resource has this address. GET / lists what there is, and /openapi.yaml describes all of it."}
	MethodNotAllowed = Type{"method-not-allowed", http.StatusMethodNotAllowed, "This method is not possible here",
		"The address exists, but not for this method. The header Allow names the ones it takes."}
	NotInRoom = Type{"not-in-room", http.StatusConflict, "You are in no room",
		"This event is for the members of a room, and the socket is in none. Send join-room first. A socket that could not be resumed is a new one, and joins again."}
	RoomFull = Type{"room-full", http.StatusConflict, "The room is full",
		"The room has as many members as this server allows, or their metadata is as much as a room may hold: the detail says which. Try again when someone has left, join with less metadata, or use another room."}
	RoomLocked = Type{"room-locked", http.StatusConflict, "The room is locked",
		"An operator lets nobody else into this room. Its members stay. Try again later, or use another room."}
	PayloadTooLarge = Type{"payload-too-large", http.StatusRequestEntityTooLarge, "The body is too large",
		"A body may have 64 KiB, or as much more as the operator of the server allows. Large data belongs into a data channel between the peers."}
	UnsupportedMediaType = Type{"unsupported-media-type", http.StatusUnsupportedMediaType, "The body's media type is not supported",
		"Send “Content-Type: application/json”, in UTF-8 and without a Content-Encoding."}
	ValidationFailed = Type{"validation-failed", http.StatusUnprocessableEntity, "The request is not valid",
		"The request was understood, but something in it is missing, unknown or out of bounds. The member “errors” names each field, the rule it breaks, and what it must be."}
	RateLimited = Type{"rate-limited", http.StatusTooManyRequests, "Too many requests",
		"Wait as long as the header Retry-After says, then go on more slowly."}
	TargetOverflow = Type{"target-overflow", http.StatusTooManyRequests, "Your share of the target's queue is used up",
		"A receiver has not yet read what you sent it before. Each sender has a share of a receiver's queue, and yours is full, so this event was not accepted; what was accepted before will arrive. Send more slowly, and try again after the time that the header Retry-After gives. For an event to the whole room, one slow member is enough."}
	ShuttingDown = Type{"shutting-down", http.StatusServiceUnavailable, "The server is shutting down",
		"The server is stopping and accepts no more. Every stream was told by “server-shutdown” when to come back; the header Retry-After says it as well."}
	AtCapacity = Type{"at-capacity", http.StatusServiceUnavailable, "The server is at capacity",
		"The server, or your address, holds as much as it may: sockets, connections, requests, rooms or memory. The detail says which. Try again after the time that the header Retry-After gives."}
)

// Types lists the whole table.
var Types = []Type{
	MalformedJSON, UnknownSession, UnknownOperator, AccessDenied, OriginNotAllowed, OperatorsOnly, TargetNotFound,
	NotFound, MethodNotAllowed, NotInRoom, RoomFull, RoomLocked, PayloadTooLarge, UnsupportedMediaType,
	ValidationFailed, RateLimited, TargetOverflow, ShuttingDown, AtCapacity,
}
