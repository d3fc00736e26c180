package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// resume ends a stream, sends a batch meanwhile, and opens the stream again after the last
// event. The new stream must bring what the batch caused.
func (e *examiner) resume(ctx context.Context) outcome {
	first := read(ctx, e.stream(http.MethodGet, "/events", ""))
	connected, failed := first.next("connected", e.Timeout)
	first.close()
	if failed != nil {
		return found(Finding{"resume", Info, "A resume could not be tried", "No live stream opens.", mendStreams, nil})
	}
	defer func() { e.leave(ctx, connected.Token) }()
	batch, isAccepted := e.sendBatch(ctx, connected.Token)
	again := read(ctx, e.stream(http.MethodGet, "/events", connected.id))
	defer again.close()
	resumed, failed := again.next("connected", e.Timeout)
	switch {
	case failed != nil:
		return found(batch, Finding{"resume", Bad, "A stream cannot be resumed", "The stream opened once, but not a second time.", say(letThrough, "request", "GET /events", "address", e.address), nil})
	case !resumed.Resumed:
		defer e.leave(ctx, resumed.Token)
		return found(batch, Finding{"resume", Bad, "A resume gives a new socket", "The server did not know the socket of the stream that was open before.",
			say(keepHeaders, "header", "header", "names", "Last-Event-ID", "address", e.address) + " " + oneServer, nil})
	case !isAccepted:
		return found(batch, Finding{"resume", Good, "A stream is resumed", "The server knew the socket.", nothing, nil})
	}
	for range 2 {
		if _, failed := again.next("pong", e.Timeout); failed != nil {
			return found(batch, Finding{"resume", Warn, "A resumed stream brings nothing", "Events that were sent meanwhile did not come.", mendStreams, nil})
		}
	}
	return found(batch, Finding{"resume", Good, "A stream is resumed", "It brought both events that were sent meanwhile.", nothing, nil})
}

// sendBatch sends two pings at once.
func (e *examiner) sendBatch(ctx context.Context, token string) (f Finding, isAccepted bool) {
	began := time.Now()
	response, text, err := e.ask(ctx, http.MethodPost, "/events/batch", token, []byte(`{"events":[{"type":"ping"},{"type":"ping"}]}`), "Idempotency-Key", "doctor")
	f = Finding{ID: "batch", Level: Bad, Title: "Batches are blocked", Text: "A batch got no answer in time.", Advice: say(letThrough, "request", "POST /events/batch", "address", e.address)}
	if err != nil {
		return f, false
	}
	var answer struct {
		Results []struct {
			Status int `json:"status"`
		} `json:"results"`
	}
	_ = json.Unmarshal(text, &answer) // no results: not the server's answer
	f.Text = answered("A batch", response.StatusCode) + "."
	switch refused := slices.IndexFunc(answer.Results, func(r struct {
		Status int `json:"status"`
	}) bool {
		return r.Status != http.StatusAccepted
	}); {
	case response.StatusCode == http.StatusTooManyRequests, response.StatusCode == http.StatusServiceUnavailable:
		f.Level, f.Advice = Warn, again
	case len(answer.Results) == 2 && refused < 0:
		return Finding{"batch", Good, "Batches work", fmt.Sprintf("The answer took %s.", duration(time.Since(began))), nothing, nil}, true
	}
	return f, false
}
