package sse

import (
	"strconv"
	"strings"
)

// EventID is a position in a socket's outbox: everything up to and including Sequence
// has arrived. Its text form is "<token>.<sequence>". It is the id field of every event,
// and a browser sends it as Last-Event-ID when it reconnects (WHATWG HTML, 9.2.3).
type EventID struct {
	Token    Token
	Sequence uint64
}

// maxSequence is the largest integer that a JavaScript Number holds exactly.
const maxSequence = 1<<53 - 1

// ParseEventID reads the text form of an event ID. It accepts exactly what the
// server writes: no sign, no leading zero, no space.
func ParseEventID(text string) (EventID, bool) {
	secret, digits, found := strings.Cut(text, ".")
	if !found {
		return EventID{}, false
	}
	token, ok := ParseToken(secret)
	if !ok {
		return EventID{}, false
	}
	sequence, ok := ParseSequence(digits)
	if !ok {
		return EventID{}, false
	}
	return EventID{token, sequence}, true
}

// ParseSequence reads the part of an event ID after the dot. Like [ParseEventID], it
// accepts exactly what the server writes.
func ParseSequence(digits string) (uint64, bool) {
	sequence, err := strconv.ParseUint(digits, 10, 64)
	if err != nil || sequence > maxSequence || strconv.FormatUint(sequence, 10) != digits {
		return 0, false
	}
	return sequence, true
}

// appendText appends the text form to b. EventID has no String method with this text,
// because the text holds the secret.
func (id EventID) appendText(b []byte) []byte {
	b = append(b, id.Token.text...)
	b = append(b, '.')
	return strconv.AppendUint(b, id.Sequence, 10)
}
