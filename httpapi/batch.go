package httpapi

import (
	"net/http"

	"signaling-server/httpapi/decode"
	"signaling-server/httpapi/problem"
	"signaling-server/sse"
)

// minMaxBatch is how many events the contract promises that a batch may have.
const minMaxBatch = 64

// sendEvents receives several client events (POST /events/batch), in their order, and
// answers with a result for each. An event that is refused does not stop the others.
func (a *API) sendEvents(w http.ResponseWriter, r *http.Request, _ params) error {
	in := a.newIntake(r)
	defer in.release()
	socket, body, err := a.readPost(w, r, in)
	if err != nil {
		return err
	}
	events, err := decode.ParseBatch(body, a.maxBatch)
	if err != nil {
		return err
	}
	if err := in.network.Send(LimitsOf(socket), events.Count); err != nil {
		return err
	}
	return a.answerOnce(w, r, socket, body, func() reply {
		defer a.hub.Flush() // once, so that the events for one target go into one write
		results := newResults(events.Count)
		for event := range events.All() {
			p, err := a.result(socket, event)
			if err != nil {
				return reply{err: err}
			}
			results.add(p)
		}
		return reply{results: results}
	})
}

// result processes one event of a batch. It returns the event's problem, or nil if the
// event is accepted. If an earlier event of the batch has ended the socket, that is the
// problem. The error is a failure of the server.
func (a *API) result(socket sse.Ref, event decode.Document) (*problem.Problem, error) {
	if !socket.Lives() {
		return sessionEnded, nil
	}
	err := a.process(socket.SocketID(), event)
	if err == nil {
		return nil, nil
	}
	if p := a.problemOf(err); p != nil {
		return p, nil
	}
	return nil, err
}
