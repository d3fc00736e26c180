package httpapi

import (
	"fmt"
	"iter"
	"net/http"

	"signaling-server/httpapi/excerpt"
	"signaling-server/httpapi/problem"

	"github.com/go-json-experiment/json/jsontext"
)

// minMaxBatch is how many events one batch may hold in any case.
const minMaxBatch = 64

// sendEvents takes several client events (POST /events/batch) in their order,
// and answers for each of them. One that is refused stops no other.
func (a *API) sendEvents(w http.ResponseWriter, r *http.Request, _ params) error {
	in := a.newIntake(r)
	defer in.release()
	socketID, body, err := a.readWithin(w, r, in, a.readPost)
	if err != nil {
		return err
	}
	events, err := decodeBatch(body, a.maxBatch)
	if err != nil {
		return err
	}
	if err := a.limits.Send(in.network, socketID, events.count); err != nil {
		return err
	}
	return a.once(w, r, socketID, body, func() reply {
		results := newResults(events.count)
		for event := range events.all() {
			p, err := a.result(socketID, event)
			if err != nil {
				return reply{err: err}
			}
			results.add(p)
		}
		return reply{results: results}
	})
}

// result takes one event of a batch, and returns what is wrong with it, nil if it
// is accepted. The one before may have ended the socket. The error is one that is
// not a problem of the event's.
func (a *API) result(socketID string, event document) (*problem.Problem, error) {
	if _, alive := a.hub.Info(socketID); !alive {
		return sessionEnded, nil
	}
	err := a.acceptDocument(socketID, event)
	if err == nil {
		return nil, nil
	}
	if p := a.problemOf(err); p != nil {
		return p, nil
	}
	return nil, err
}

// batch is the events of a batch, which are read one after the other: a list of
// them could take more memory than the body.
type batch struct {
	events document // an array
	count  int
}

// all yields the events, each as it was written.
func (b batch) all() iter.Seq[document] {
	return func(yield func(document) bool) {
		for event := range valuesOf(b.events.text) {
			if !yield(document{event, b.events.isCompact}) {
				return
			}
		}
	}
}

// decodeBatch finds the events of a batch.
func decodeBatch(body []byte, maxEvents int) (batch, error) {
	whole, err := parseDocument(body)
	if err != nil {
		return batch{}, err
	}
	if whole.text.Kind() != '{' {
		return batch{}, problem.Invalid(mustBeObject)
	}
	var events jsontext.Value
	for rawName, value := range membersOf(whole.text) {
		switch name := unquoted(rawName); {
		case string(name) != "events":
			return batch{}, problem.Invalid(problem.Field(excerpt.Of(string(name)), "unknown", "a batch has no such member"))
		case events != nil:
			return batch{}, problem.Invalid(problem.Field("events", "unique", "must stand there once"))
		case value.Kind() != '[':
			return batch{}, problem.Invalid(problem.Field("events", "type", "must be an array of events"))
		}
		events = value
	}
	count := 0
	if events != nil {
		count = countUpTo(maxEvents+1, valuesOf(events))
	}
	if count < 1 || count > maxEvents {
		return batch{}, problem.Invalid(problem.Field("events", "length", fmt.Sprintf("must hold 1 to %d events", maxEvents)))
	}
	return batch{document{events, whole.isCompact}, count}, nil
}

// countUpTo counts values, and stops at a number that is enough.
func countUpTo(enough int, values iter.Seq[jsontext.Value]) (count int) {
	for range values {
		if count++; count == enough {
			break
		}
	}
	return count
}
