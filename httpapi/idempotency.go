package httpapi

import (
	"context"
	"errors"
	"net/http"

	"signaling-server/httpapi/decode"
	"signaling-server/httpapi/problem"
	"signaling-server/machine"
	"signaling-server/sse"
)

// maxKeyLength is how many characters an Idempotency-Key may have.
const maxKeyLength = 64

// errUnanswered is the reply to a repeat if the first POST ended in a panic. The server
// cannot know what that POST did, so it must not say that an event was accepted.
var errUnanswered = errors.New("the first POST with this key was never answered")

// keyOf returns the key of a request that posts a body. It is zero if the request has none.
func keyOf(r *http.Request, body []byte) (machine.Key, error) {
	if _, hasKey := r.Header["Idempotency-Key"]; !hasKey {
		return machine.Key{}, nil
	}
	key := r.Header.Get("Idempotency-Key")
	switch {
	case !isKey(key):
		return machine.Key{}, problem.Invalid(problem.Field("Idempotency-Key", "key", "must be 1 to 64 visible ASCII characters"))
	case string(body) == bareHeartbeat:
		return machine.Key{}, nil
	}
	return machine.NewKey(key, r.URL.Path, body), nil
}

// bareHeartbeat is a heartbeat as clients write it. Its key is not remembered: to repeat a
// heartbeat does no harm, and idle sockets would have many.
const bareHeartbeat = `{"type":"heartbeat"}`

// isKey reports whether a text may be an Idempotency-Key.
func isKey(text string) bool {
	return text != "" && len(text) <= maxKeyLength && decode.IsVisible(text)
}

// applyOnce returns the outcomes of the POST of an intake, which has so many events. If its key was used before,
// they are those of the first POST with the key. Otherwise ask adds what the POST asks for,
// and that is applied. So no limit and no access token matters to a repeat.
func (a *API) applyOnce(ctx context.Context, in *intake, events int, ask func()) (outcomes machine.Outcomes, isRepeat bool, err error) {
	outcomes, isRepeat, err = stateOf(in.socket).keys.Recall(in.post.Key)
	if !isRepeat {
		ask()
		in.socket = sse.Ref{}
		outcomes, isRepeat, err = a.apply(ctx, &in.post)
	}
	in.spans.end(outcomes, isRepeat, err)
	switch {
	case errors.Is(err, machine.ErrKeyReused):
		err = problem.Invalid(problem.Field("Idempotency-Key", "reused", "was used for another body; use a new key for each event"))
	case err != nil:
	case len(outcomes) != events:
		err = errUnanswered
	case outcomes.Has(machine.Failed):
		err = machine.ErrFailed
	}
	return outcomes, isRepeat, err
}
