package problem

import "net/http"

// The table of problems, in the order in which the protocol lists them.
var (
	MalformedJSON = Type{"malformed-json", http.StatusBadRequest, "The body is not valid JSON",
		"The body of the request is not one JSON value in UTF-8 (RFC 8259). The detail names the byte at which it goes wrong. The server also refuses JSON that is nested more than 100 levels deep, and strings with unpaired surrogates: many receivers cannot read them."}
	UnknownSession = Type{"unknown-session", http.StatusUnauthorized, "The session is not known",
		"The request needs the session token from the event “connected”, as “Authorization: Bearer <token>”. The token is missing or malformed, or its socket has ended: it disconnected, or it stayed away longer than the resume window. Open a new stream (GET /events), take the token from its first event, and join the room again."}
	UnknownOperator = Type{"unknown-operator", http.StatusUnauthorized, "This is for the operators of the server",
		"Only an operator may see or change what happens in the server. The request needs the value of ADMIN_TOKEN, as “Authorization: Bearer <token>”. Its token is missing or wrong."}
	AccessDenied = Type{"access-denied", http.StatusForbidden, "Access to the room was denied",
		"On this server a client needs an access token to join a room. The token in “accessToken” is missing, wrong, expired, or for another room or user. If its signature is right, the detail names the claim at fault. Ask the application that issues the tokens for a new one."}
	OriginNotAllowed = Type{"origin-not-allowed", http.StatusForbidden, "Pages of this origin may not use the server",
		"A browser sent this request for a page of another origin. The operator of the server does not allow that origin (CORS_ORIGIN). The request did nothing."}
	OperatorsOnly = Type{"operators-only", http.StatusForbidden, "This is for the operators of the server",
		"Only an operator may see or change what happens in the server. This server runs in production without a token for operators. If you run it, set ADMIN_TOKEN to a secret of at least 16 characters, and send it as “Authorization: Bearer <token>”."}
	InsufficientScope = Type{"insufficient-scope", http.StatusForbidden, "The token does not allow this",
		"The request bears the token of an operator, and that operator may not do this: the detail names the scope that is missing. OPERATOR_TOKENS gives scopes to operators. The token in ADMIN_TOKEN may do everything."}
	TargetNotFound = Type{"target-not-found", http.StatusNotFound, "The target is not in your room",
		"A member can signal only to other sockets in its own room. The target is not the socket ID of another member: it may have left, it may be in another room, it may be your own, or it never existed. Watch “user-disconnected” to know when a peer is gone."}
	NotFound = Type{"not-found", http.StatusNotFound, "There is nothing here",
		"Nothing has this address. GET / lists what there is, and /openapi.yaml describes all of it."}
	MethodNotAllowed = Type{"method-not-allowed", http.StatusMethodNotAllowed, "This method is not possible here",
		"The address exists, but not for this method. The header Allow names the methods that it takes."}
	NotInRoom = Type{"not-in-room", http.StatusConflict, "You are not in a room",
		"This event is for the members of a room, and the socket is not in a room. Send join-room first. A client that could not resume has a new socket, and must join again."}
	RoomFull = Type{"room-full", http.StatusConflict, "The room is full",
		"The room has as many members as this server allows, or its members have as much metadata as one room may hold. The detail says which. Try again when someone has left, join with less metadata, or use another room."}
	RoomLocked = Type{"room-locked", http.StatusConflict, "The room is locked",
		"An operator has locked this room: nobody else can join it. Its members stay. Try again later, or use another room."}
	PayloadTooLarge = Type{"payload-too-large", http.StatusRequestEntityTooLarge, "The body is too large",
		"A body may have 64 KiB, or more if the operator of the server allows more. Send large data through a data channel between the peers."}
	UnsupportedMediaType = Type{"unsupported-media-type", http.StatusUnsupportedMediaType, "The body's media type is not supported",
		"Send “Content-Type: application/json”, in UTF-8 and without a Content-Encoding."}
	ValidationFailed = Type{"validation-failed", http.StatusUnprocessableEntity, "The request is not valid",
		"The server understood the request, but something in it is missing, unknown or out of bounds. The member “errors” names each field, the rule that it breaks, and what it must be."}
	RateLimited = Type{"rate-limited", http.StatusTooManyRequests, "Too many requests",
		"Wait as long as the header Retry-After says. Then send less often."}
	HeaderTooLarge = Type{"header-too-large", http.StatusRequestHeaderFieldsTooLarge, "The header is too large",
		"The header of the request has more bytes, or more fields, than the operator of the server allows. Cookies are often the reason: a network with single sign-on may add large ones. The operator can raise MAX_HEADER."}
	TargetOverflow = Type{"target-overflow", http.StatusTooManyRequests, "Your share of the target's outbox is used up",
		"A receiver has not yet read what you sent to it. Each sender has a share of a receiver's outbox. Yours is full, so the server did not accept this event; events that it accepted before will arrive. Send less often, and try again after the time in the header Retry-After. The server refuses an event that is for the whole room even if only one member is slow."}
	ShuttingDown = Type{"shutting-down", http.StatusServiceUnavailable, "The server is shutting down",
		"The server is stopping and accepts nothing more. The event “server-shutdown” told every stream when to reconnect. The header Retry-After says it too."}
	AtCapacity = Type{"at-capacity", http.StatusServiceUnavailable, "The server is at capacity",
		"The server or your address has reached a limit: of sockets, connections, requests, rooms or memory. The detail says which. Try again after the time in the header Retry-After."}
	NotReady = Type{"not-ready", http.StatusServiceUnavailable, "This node is not ready",
		"The server has several nodes, and this one does not reach the others now, or another process takes its place. It accepted nothing. Try again after the time in the header Retry-After: another node may answer, and this one comes back by itself."}
	OutcomeUnknown = Type{"outcome-unknown", http.StatusGatewayTimeout, "It is not known yet whether this was accepted",
		"The server has several nodes, and they do not reach each other now. This request may have been accepted. Repeat it with the same Idempotency-Key after the time in the header Retry-After: then it is done once. Without a key it may be done twice."}
)

// Types lists the whole table.
var Types = []Type{
	MalformedJSON, UnknownSession, UnknownOperator, AccessDenied, OriginNotAllowed, OperatorsOnly, InsufficientScope, TargetNotFound,
	NotFound, MethodNotAllowed, NotInRoom, RoomFull, RoomLocked, PayloadTooLarge, UnsupportedMediaType,
	ValidationFailed, RateLimited, TargetOverflow, HeaderTooLarge, ShuttingDown, AtCapacity, NotReady, OutcomeUnknown,
}
