package sse

import "strconv"

// frame is one event as it goes to a client (WHATWG HTML, 9.2.5): its id, its type, its
// data, and perhaps the client's reconnection time.
type frame struct {
	id    EventID
	event *event
}

const (
	beforeID    = "id: "
	beforeType  = "\nevent: "
	beforeData  = "\ndata: "
	beforeRetry = "\nretry: "
	endOfFrame  = "\n\n"
)

// appendHead appends everything before the data.
func (f frame) appendHead(b []byte) []byte {
	b = f.id.appendText(append(b, beforeID...))
	b = append(append(b, beforeType...), f.event.kind...)
	return append(b, beforeData...)
}

// appendTail appends everything after the data.
func (f frame) appendTail(b []byte) []byte {
	if f.event.retry > 0 {
		b = strconv.AppendInt(append(b, beforeRetry...), f.event.retry.Milliseconds(), 10)
	}
	return append(b, endOfFrame...)
}
