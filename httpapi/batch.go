package httpapi

import (
	"bytes"
	"fmt"
	"net/http"

	"github.com/go-json-experiment/json/jsontext"
)

// minMaxBatch is how many events one batch may hold in any case.
const minMaxBatch = 64

type batchAnswer struct {
	Results []any `json:"results"` // one for each event, in their order
}

type accepted struct {
	Status int `json:"status"`
}

// sendEvents takes several client events (POST /events/batch) in their order,
// and answers for each of them. One that is refused stops no other.
func (a *API) sendEvents(w http.ResponseWriter, r *http.Request, _ params) error {
	socketID, body, err := a.readWithin(w, r, a.readPost)
	if err != nil {
		return err
	}
	events, err := decodeBatch(body, a.maxBatch)
	if err != nil {
		return err
	}
	if err := a.limits.Send(a.networkOf(r), socketID, len(events)); err != nil {
		return err
	}
	return a.once(w, r, socketID, body, func() reply {
		answer := batchAnswer{make([]any, len(events))}
		for i, event := range events {
			result, err := a.result(socketID, event)
			if err != nil {
				return reply{err: err}
			}
			answer.Results[i] = result
		}
		return jsonReply(answer)
	})
}

// result takes one event of a batch, and says what became of it. The one before
// may have ended the socket. The error is one that is no problem of the event's.
func (a *API) result(socketID string, event jsontext.Value) (any, error) {
	if _, alive := a.hub.Info(socketID); !alive {
		return sessionEnded.document(), nil
	}
	err := a.accept(socketID, event)
	if err == nil {
		return accepted{http.StatusAccepted}, nil
	}
	if problem := a.problemOf(err); problem != nil {
		return problem.document(), nil
	}
	return nil, err
}

// decodeBatch reads the events of a batch, each as it was written.
func decodeBatch(body []byte, maxEvents int) ([]jsontext.Value, error) {
	members, err := parseObject(body)
	if err != nil {
		return nil, err
	}
	var events []jsontext.Value
	seen := false
	for _, m := range members {
		switch {
		case m.name != "events":
			return nil, invalid(FieldError{m.name, "unknown", "a batch has no such member"})
		case seen:
			return nil, invalid(FieldError{m.name, "unique", "must stand there once"})
		case m.value.Kind() != '[':
			return nil, invalid(FieldError{m.name, "type", "must be an array of events"})
		}
		seen = true
		if events, err = readArray(m.value); err != nil {
			return nil, malformed(err)
		}
	}
	if len(events) < 1 || len(events) > maxEvents {
		return nil, invalid(FieldError{"events", "length", fmt.Sprintf("must hold 1 to %d events", maxEvents)})
	}
	return events, nil
}

// readArray reads the values of an array, each as it was written.
func readArray(array jsontext.Value) (values []jsontext.Value, err error) {
	decoder := jsontext.NewDecoder(bytes.NewBuffer(array), asWritten)
	if _, err := decoder.ReadToken(); err != nil { // the opening bracket
		return nil, err
	}
	for decoder.PeekKind() != ']' {
		value, err := readValue(decoder, array)
		if err != nil {
			return nil, err
		}
		values = append(values, value)
	}
	return values, nil
}
