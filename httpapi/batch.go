package httpapi

import (
	"net/http"

	"signaling-server/httpapi/decode"
	"signaling-server/machine"
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
	key, err := keyOf(r, body)
	if err != nil {
		return err
	}
	post := in.postMany(socket, key, events.Count, len(body))
	results := newResults(events.Count)
	outcomes, isRepeat, err := a.applyOnce(r.Context(), in, events.Count, func() {
		k := asking{api: a, ctx: r.Context(), socket: socket, post: post, spans: in.spans}
		for event := range events.All() {
			if err := k.event(event); err != nil {
				results.add(a.problemOf(err))
			} else {
				results.add(nil)
			}
		}
	})
	if err != nil {
		return err
	}
	if isRepeat {
		results = repeatedResults(events, outcomes)
	} else {
		a.settle(&results, post, outcomes)
	}
	results.write(w)
	return nil
}

// settle sets the results of the events that were applied and not accepted.
func (a *API) settle(results *results, post *machine.Post, outcomes machine.Outcomes) {
	for i, asked := range post.Events {
		if outcome := outcomes.At(i); outcome != asked {
			results.set(i, a.problemOf(outcome.Err()))
		}
	}
}

// repeatedResults returns the results of a batch that was applied before. Events that are
// invalid are decoded again to find what is wrong with them.
func repeatedResults(events decode.Batch, outcomes machine.Outcomes) results {
	results := newResults(events.Count)
	for event := range events.All() {
		outcome := outcomes.At(len(results.each))
		if outcome == machine.Accepted {
			results.add(nil)
			continue
		}
		var wrong error
		if outcome == machine.Invalid {
			_, _, wrong = decode.ClientEvents.Read(event)
		}
		p, _ := problemFor(reasonOf(outcome, wrong))
		results.add(p)
	}
	return results
}
