package httpapi

import (
	"errors"
	"io"
	"math"
	"net/http"
	"strconv"
	"time"

	"signaling-server/access"
	"signaling-server/limits"
	"signaling-server/rooms"
	"signaling-server/sse"
)

// Problem is an error as its client is told of it: a problem document.
type Problem struct {
	problemType
	Detail     string
	Errors     []FieldError  // what exactly is wrong with the request's content
	RetryAfter time.Duration // sent as Retry-After, unless 0
}

// FieldError names one thing that is wrong in a request.
type FieldError struct {
	Field   string `json:"field"`   // its path, or "" for the whole
	Rule    string `json:"rule"`    // the rule it breaks
	Message string `json:"message"` // what it must be
}

// problemType is a row of the protocol's table of problems.
type problemType struct {
	name        string // the last part of the type's URI
	status      int
	title       string
	explanation string // for a person who opens that URI
}

// The problems, in the order of the protocol.
var (
	malformedJSON = problemType{"malformed-json", http.StatusBadRequest, "The body is not valid JSON",
		"The body of the request could not be read as one JSON value in UTF-8 (RFC 8259). The detail says at which byte it went wrong. JSON nested more than 100 levels deep and unpaired surrogates in strings are refused as well, because many receivers cannot read them."}
	unknownSession = problemType{"unknown-session", http.StatusUnauthorized, "The session is not known",
		"The request needs the session token that the event “connected” brought, as “Authorization: Bearer <token>”. It had none, a malformed one, or one whose socket has ended: it disconnected, or stayed away longer than the resume window. Open a new stream (GET /events), take the token from its first event, and join the room again."}
	unknownOperator = problemType{"unknown-operator", http.StatusUnauthorized, "This is for the operators of the server",
		"What is going on in the server is told to its operators only. The request needs the token that the server was given as ADMIN_TOKEN, as “Authorization: Bearer <token>”. It had none, or another."}
	accessDenied = problemType{"access-denied", http.StatusForbidden, "Access to the room was denied",
		"This server admits to its rooms only those who show an access token. The one in “accessToken” is missing, wrong, expired, or for another room or user. Ask whoever issues the tokens for a new one."}
	originNotAllowed = problemType{"origin-not-allowed", http.StatusForbidden, "Pages of this origin may not use the server",
		"A browser sent this for a page of another origin, which is not among those that the server's operator allows (CORS_ORIGIN). It did nothing."}
	operatorsOnly = problemType{"operators-only", http.StatusForbidden, "This is for the operators of the server",
		"What is going on in the server is told to its operators only, and this one, which runs in production, knows none. Whoever runs it sets ADMIN_TOKEN to a secret of 16 characters or more, and sends that as “Authorization: Bearer <token>”."}
	targetNotFound = problemType{"target-not-found", http.StatusNotFound, "The target is not in your room",
		"A member may signal only other sockets of its own room. The target is no member's socket ID: it may have left, be in another room, be yourself, or never have been. Watch “user-disconnected” to know when a peer is gone."}
	notFound = problemType{"not-found", http.StatusNotFound, "There is nothing here",
		"No resource has this address. GET / lists what there is, and /openapi.yaml describes all of it."}
	methodNotAllowed = problemType{"method-not-allowed", http.StatusMethodNotAllowed, "This method is not possible here",
		"The address exists, but not for this method. The header Allow names the ones it takes."}
	notInRoom = problemType{"not-in-room", http.StatusConflict, "You are in no room",
		"This event is for the members of a room, and the socket is in none. Send join-room first. A socket that could not be resumed is a new one, and joins again."}
	roomFull = problemType{"room-full", http.StatusConflict, "The room is full",
		"The room has as many members as this server allows, or their metadata is as much as a room may hold: the detail says which. Try again when someone has left, join with less metadata, or use another room."}
	roomLocked = problemType{"room-locked", http.StatusConflict, "The room is locked",
		"An operator lets nobody else into this room. Its members stay. Try again later, or use another room."}
	payloadTooLarge = problemType{"payload-too-large", http.StatusRequestEntityTooLarge, "The body is too large",
		"A body may have 64 KiB, or as much more as the operator of the server allows. Large data belongs into a data channel between the peers."}
	unsupportedMediaType = problemType{"unsupported-media-type", http.StatusUnsupportedMediaType, "The body's media type is not supported",
		"Send “Content-Type: application/json”, in UTF-8 and without a Content-Encoding."}
	validationFailed = problemType{"validation-failed", http.StatusUnprocessableEntity, "The request is not valid",
		"The request was understood, but something in it is missing, unknown or out of bounds. The member “errors” names each field, the rule it breaks, and what it must be."}
	rateLimited = problemType{"rate-limited", http.StatusTooManyRequests, "Too many requests",
		"Wait as long as the header Retry-After says, then go on more slowly."}
	targetOverflow = problemType{"target-overflow", http.StatusTooManyRequests, "Your share of the target's queue is used up",
		"A receiver has not yet read what you sent it before. Each sender has a share of a receiver's queue, and yours is full, so this event was not accepted; what was accepted before will arrive. Send more slowly, and try again after the time that the header Retry-After gives. For an event to the whole room, one slow member is enough."}
	shuttingDown = problemType{"shutting-down", http.StatusServiceUnavailable, "The server is shutting down",
		"The server is stopping and accepts no more. Every stream was told by “server-shutdown” when to come back; the header Retry-After says it as well."}
	atCapacity = problemType{"at-capacity", http.StatusServiceUnavailable, "The server is at capacity",
		"The server, or your address, holds as much as it may: sockets, connections, requests, rooms or memory. The detail says which. Try again after the time that the header Retry-After gives."}
)

// sessionEnded is the problem of a token that was once good.
var sessionEnded = unknownSession.with("The socket of this token has ended. Open a new stream, and join again.")

// noSuchRoom is the problem of operators who look for a room.
var noSuchRoom = notFound.with("There is no room of this ID: nobody is in it.")

// problemTypes lists all problems, for the pages that explain them.
var problemTypes = []problemType{
	malformedJSON, unknownSession, unknownOperator, accessDenied, originNotAllowed, operatorsOnly, targetNotFound, notFound, methodNotAllowed,
	notInRoom, roomFull, roomLocked, payloadTooLarge, unsupportedMediaType, validationFailed, rateLimited, targetOverflow, shuttingDown, atCapacity,
}

func (t problemType) with(detail string) *Problem { return &Problem{problemType: t, Detail: detail} }

// after says when the client may try again.
func (p *Problem) after(wait time.Duration) *Problem {
	p.RetryAfter = wait
	return p
}

func (p *Problem) Error() string { return p.name + ": " + p.Detail }

// problemFor turns an error into what its client is told. It is nil for an
// error that is nobody's but ours.
func problemFor(err error) *Problem {
	var p *Problem
	var denial *access.Denial
	var exceeded *limits.Exceeded
	switch {
	case errors.As(err, &p):
		return p
	case errors.Is(err, rooms.ErrNotInRoom):
		return notInRoom.with("Join a room before you send this.")
	case errors.Is(err, rooms.ErrTargetNotFound):
		return targetNotFound.with("No other member of your room has this socket ID.")
	case errors.Is(err, rooms.ErrRoomFull):
		return roomFull.with("The room has as many members as it may have (MAX_ROOM_MEMBERS, or your access token).").after(sse.ReconnectAfter())
	case errors.Is(err, rooms.ErrRosterFull):
		return roomFull.with("The members' metadata is as much as a room may hold (ROOM_BYTES). Join with less, or when somebody has left.").after(sse.ReconnectAfter())
	case errors.Is(err, rooms.ErrRoomLocked):
		return roomLocked.with("An operator lets nobody else into this room.")
	case errors.Is(err, rooms.ErrTooManyRooms):
		return atCapacity.with("There are as many rooms as there may be (MAX_ROOMS). Join one that exists, or try again after the time given.").after(sse.ReconnectAfter())
	case errors.Is(err, rooms.ErrTooManyRoomsOfNetwork):
		return atCapacity.with("Your address has made as many rooms as one address may (MAX_ROOMS_PER_ADDRESS). Join one that exists, or try again after the time given.").after(sse.ReconnectAfter())
	case errors.Is(err, rooms.ErrNoRoom):
		return noSuchRoom
	case errors.As(err, &denial):
		return accessDenied.with(denial.Sentence())
	case errors.Is(err, rooms.ErrNotPermitted):
		return accessDenied.with("The access token with which you joined the room does not allow you this.")
	case errors.Is(err, rooms.ErrOverflow), errors.Is(err, sse.ErrOverflow):
		return targetOverflow.with("A receiver has not read yet what you sent it before: your share of its queue is used up. What was accepted will arrive. Try again after the time given.").after(sse.ReconnectAfter())
	case errors.Is(err, rooms.ErrGone), errors.Is(err, sse.ErrGone):
		return sessionEnded
	case errors.Is(err, rooms.ErrDraining), errors.Is(err, sse.ErrDraining):
		return shuttingDown.with("Reconnect after the time given.").after(sse.ReconnectAfter())
	case errors.Is(err, errNoConnection):
		return noConnection()
	case errors.Is(err, sse.ErrAtCapacity):
		return atCapacity.with("Try again after the time given.").after(sse.ReconnectAfter())
	case errors.Is(err, sse.ErrTooMany):
		return atCapacity.with("Your address has as many sockets as one address may have (MAX_CONNECTIONS_PER_ADDRESS). Try again after the time given.").after(sse.ReconnectAfter())
	case errors.Is(err, sse.ErrOutOfBudget), errors.Is(err, rooms.ErrOutOfMemory):
		return atCapacity.with("The memory for clients is used up (MEMORY_LIMIT). Try again after the time given.").after(sse.ReconnectAfter())
	case errors.As(err, &exceeded):
		return exceededProblem(exceeded)
	case errors.Is(err, errNoMemory):
		return memoryProblem()
	}
	return nil
}

// write sends the problem document.
func (p *Problem) write(w http.ResponseWriter) {
	header := w.Header()
	header.Set("Content-Type", "application/problem+json")
	header.Set("Cache-Control", "no-store")
	if p.RetryAfter > 0 {
		header.Set("Retry-After", strconv.Itoa(int(math.Ceil(p.RetryAfter.Seconds()))))
	}
	if p.status == http.StatusUnauthorized {
		header.Set("WWW-Authenticate", "Bearer") // RFC 9110, 15.5.2 demands it
	}
	w.WriteHeader(p.status)
	_ = encode(w, p.document()) // the client may be gone; there is nobody else to tell
	_, _ = io.WriteString(w, "\n")
}

// problemDocument is a problem's JSON (RFC 9457, 3.1).
type problemDocument struct {
	Type   string       `json:"type"`
	Title  string       `json:"title"`
	Status int          `json:"status"`
	Detail string       `json:"detail"`
	Errors []FieldError `json:"errors,omitempty"`
}

func (p *Problem) document() problemDocument {
	return problemDocument{"/problems/" + p.name, p.title, p.status, p.Detail, p.Errors}
}
