package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"slices"
	"sync"
	"time"
)

// silence is one stream that is idle for a while.
type silence struct {
	length time.Duration
	state  string        // lasted, cut, mute, held, refused, blocked
	after  time.Duration // when it was cut
}

// listen opens idle streams of several lengths at once, as static/doctor/silence.js does. A
// stream that is closed shows the limit itself. A stream that goes dead shows only that the
// limit is below its length.
func (e *examiner) listen(ctx context.Context) outcome {
	longest := int(math.Ceil(e.Wait.Seconds()))
	lengths := []int{(longest + 3) / 4, (longest + 1) / 2, longest}
	slices.Sort(lengths)
	var silences []*silence
	var listening sync.WaitGroup
	for _, length := range slices.Compact(lengths) {
		s := &silence{length: time.Duration(length) * time.Second}
		silences = append(silences, s)
		listening.Go(func() { e.listenTo(ctx, s) })
	}
	listening.Wait()
	return found(e.adviseOnSilence(silences))
}

func (e *examiner) listenTo(ctx context.Context, s *silence) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.state = "held"
	timer := time.AfterFunc(e.Timeout, cancel)
	defer timer.Stop()
	r, err := e.request(ctx, http.MethodGet, fmt.Sprintf("/silence?seconds=%d", int(s.length.Seconds())), "", nil)
	if err != nil {
		return
	}
	response, err := e.http.Do(r)
	if err != nil {
		if ctx.Err() == nil {
			s.state = "blocked"
		}
		return
	}
	defer response.Body.Close()
	if !isEventStream(response) {
		s.state = "refused"
		return
	}
	var began time.Time
	for frame, err := range frames(response.Body) {
		if err != nil {
			s.end(ctx, began)
			return
		}
		var got struct{ Type, Reason string }
		_ = json.Unmarshal(frame.data, &got) // another event has another type
		switch {
		case got.Type == "silence-began":
			began, s.state = time.Now(), "mute"
			timer.Reset(s.length + e.Timeout)
		case got.Type == "silence-ended" && got.Reason != "complete":
			s.state = "refused" // the server stops
			return
		case got.Type == "silence-ended" && time.Since(began) < s.length/2:
			s.state = "held" // both events came at once, so a proxy held the first back
			return
		case got.Type == "silence-ended":
			s.state = "lasted"
			return
		}
	}
}

// end notes that a stream ended before its time, unless the doctor itself gave it up.
func (s *silence) end(ctx context.Context, began time.Time) {
	switch {
	case ctx.Err() != nil: // the state says why
	case began.IsZero():
		s.state = "blocked"
	default:
		s.state, s.after = "cut", time.Since(began)
	}
}

func (e *examiner) adviseOnSilence(silences []*silence) Finding {
	e.mu.Lock()
	heartbeat := e.heartbeat
	e.mu.Unlock()
	var lasted, cutAfter, muteBy time.Duration // 0: none
	states := make(map[string]bool)
	for _, s := range silences {
		states[s.state] = true
		switch s.state {
		case "lasted":
			lasted = max(lasted, s.length)
		case "cut":
			cutAfter = least(cutAfter, s.after)
		case "mute":
			muteBy = least(muteBy, s.length)
		}
	}
	finding := func(level Level, title, text, advice string, lines ...Line) Finding {
		return Finding{"silence", level, title, text, say(advice, "address", e.address, "heartbeat", seconds(heartbeat)), lines}
	}
	const unmeasured = "Idle streams could not be measured"
	switch {
	case cutAfter > 0 || muteBy > 0:
	case states["held"] || states["blocked"]:
		return finding(Info, unmeasured, "The idle stream is held back as well, so it does not show how long it stays open.", mendStreams)
	case states["refused"]:
		return finding(Info, unmeasured, "The server, or a proxy in front of it, refused the idle stream.", fewTests)
	case lasted <= heartbeat:
		return finding(Info, "Idle streams stay open, but the test was short", fmt.Sprintf("A stream that was idle for %s was not cut.", seconds(lasted)), waitLonger)
	default:
		return finding(Good, "Idle streams stay open", fmt.Sprintf("A stream that was idle for %s was not cut.", seconds(lasted)), neverIdle)
	}
	borne := cutAfter // the longest silence that is known to do no harm
	text := fmt.Sprintf("A stream on which nothing was sent was cut after %s.", seconds(cutAfter))
	if cutAfter == 0 {
		borne = lasted
		text = fmt.Sprintf("A stream on which nothing was sent was dead after %s, although nothing closed it.", seconds(muteBy))
	} else if muteBy > 0 {
		borne = min(cutAfter, lasted)
	}
	switch {
	case borne <= heartbeat:
		return finding(Bad, "Idle streams are cut", text, raiseIdle+" "+say(lowerHeartbeat, "borne", seconds(max(borne, time.Second))), lines[faultIdle]...)
	case borne <= 25*time.Second:
		return finding(Warn, "Idle streams are cut, but later than heartbeats come", text, raiseIdle+" "+say(lowerWait, "borne", seconds(borne)), lines[faultIdle]...)
	}
	return finding(Good, "Idle streams are cut, but late enough", text, lateEnough)
}

// least returns the smaller of two durations. A duration of 0 is none.
func least(a, b time.Duration) time.Duration {
	if a == 0 {
		return b
	}
	return min(a, b)
}
