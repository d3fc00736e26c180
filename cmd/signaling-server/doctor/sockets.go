package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"signaling-server/client"
)

// event is what the doctor reads of a server event.
type event struct {
	at time.Time // when it came
	id string

	Type       string             `json:"type"`
	Token      string             `json:"token"`
	Resumed    bool               `json:"resumed"`
	Heartbeat  int64              `json:"heartbeatInterval"` // milliseconds
	ICEServers []client.ICEServer `json:"iceServers"`
	Reason     string             `json:"reason"`
	Timestamp  json.RawMessage    `json:"timestamp"`
}

// failure says why no events come any more.
type failure struct {
	isSilent bool   // nothing came in time
	isOpened bool   // the answer began as a stream does
	status   int    // of an answer that is neither a stream nor a poll
	reason   string // of the event disconnected
}

func (f *failure) Error() string { return fmt.Sprintf("%+v", *f) }

// isBusy reports whether the server refused by itself, and says why.
func (f *failure) isBusy() (text string, ok bool) {
	if f == nil {
		return "", false
	}
	switch {
	case f.reason == "at capacity":
		return "The server is full.", true
	case f.reason == "draining":
		return "The server is restarting.", true
	case f.status == http.StatusServiceUnavailable:
		return "The server is full or restarting.", true
	case f.reason == "rate limited", f.status == http.StatusTooManyRequests:
		return "The server received too many requests from your network.", true
	}
	return "", false
}

// opener reads events in one way, and hands over each, until ctx ends. It never returns nil.
type opener func(ctx context.Context, take func(event)) *failure

// reading is one run of an opener.
type reading struct {
	events chan event // closed at the end
	failed *failure   // may be read after events is closed
	stop   context.CancelFunc
	over   sync.WaitGroup
}

func read(ctx context.Context, open opener) *reading {
	ctx, stop := context.WithCancel(ctx)
	r := &reading{events: make(chan event, 64), stop: stop}
	r.over.Go(func() {
		defer close(r.events)
		r.failed = open(ctx, func(e event) {
			select {
			case r.events <- e:
			case <-ctx.Done():
			}
		})
	})
	return r
}

// close ends the reading, and waits for its end.
func (r *reading) close() {
	r.stop()
	r.over.Wait()
}

// next waits for an event of a type.
func (r *reading) next(kind string, within time.Duration) (event, *failure) {
	timer := time.NewTimer(within)
	defer timer.Stop()
	for {
		select {
		case got, isOpen := <-r.events:
			switch {
			case !isOpen:
				return event{}, r.failed
			case got.Type == kind:
				return got, nil
			case got.Type == "disconnected":
				return event{}, &failure{reason: got.Reason}
			}
		case <-timer.C:
			return event{}, &failure{isSilent: true}
		}
	}
}

// stream opens a stream. An id that is not empty resumes its socket.
func (e *examiner) stream(method, path, id string) opener {
	return func(ctx context.Context, take func(event)) *failure {
		r, err := e.request(ctx, method, path, "", nil)
		if err != nil {
			return &failure{}
		}
		r.Header.Set("Accept", "text/event-stream")
		if id != "" {
			r.Header.Set("Last-Event-ID", id)
		}
		response, err := e.http.Do(r)
		if err != nil {
			return &failure{}
		}
		defer response.Body.Close()
		if !isEventStream(response) {
			return &failure{status: response.StatusCode}
		}
		for frame, err := range frames(response.Body) {
			if err != nil {
				break
			}
			got := event{at: time.Now(), id: frame.id}
			if isJSON(frame.data, &got) {
				take(got)
			}
		}
		return &failure{isOpened: true}
	}
}

// poll fetches events by one poll after the other.
func (e *examiner) poll(ctx context.Context, take func(event)) *failure {
	token, after := "", "0"
	for {
		wait := min(10, max(1, int(e.Timeout.Seconds())-1)) // the answer must come within the time-out
		response, text, err := e.ask(ctx, http.MethodGet, fmt.Sprintf("/events/poll?wait=%d&after=%s", wait, after), token, nil)
		if err != nil {
			return &failure{isSilent: ctx.Err() == nil && token == "" && isTimeout(err)}
		}
		var batch struct {
			Events      []event `json:"events"`
			LastEventID string  `json:"lastEventId"`
		}
		if response.StatusCode != http.StatusOK || !isJSON(text, &batch) {
			return &failure{status: response.StatusCode}
		}
		if token, after, _ = strings.Cut(batch.LastEventID, "."); token == "" {
			return &failure{status: response.StatusCode}
		}
		for _, got := range batch.Events {
			got.at = time.Now()
			take(got)
		}
	}
}
