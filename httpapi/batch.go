package httpapi

import (
	"net/http"

	"signaling-server/httpapi/decode"
	"signaling-server/httpapi/problem"
)

// minMaxBatch is how many events one batch may hold in any case.
const minMaxBatch = 64

// sendEvents takes several client events (POST /events/batch) in their order,
// and answers for each of them. One that is refused stops no other.
func (a *API) sendEvents(w http.ResponseWriter, r *http.Request, _ params) error {
	in := a.newIntake(r)
	defer in.release()
	socketID, body, err := a.readPost(w, r, in)
	if err != nil {
		return err
	}
	events, err := decode.ParseBatch(body, a.maxBatch)
	if err != nil {
		return err
	}
	if err := a.limits.Send(in.network, socketID, events.Count); err != nil {
		return err
	}
	return a.answerOnce(w, r, socketID, body, func() reply {
		results := newResults(events.Count)
		for event := range events.All() {
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
func (a *API) result(socketID string, event decode.Document) (*problem.Problem, error) {
	if _, alive := a.hub.Info(socketID); !alive {
		return sessionEnded, nil
	}
	err := a.process(socketID, event)
	if err == nil {
		return nil, nil
	}
	if p := a.problemOf(err); p != nil {
		return p, nil
	}
	return nil, err
}
