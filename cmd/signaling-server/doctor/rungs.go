package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	pings       = 8
	pongsWithin = 3 * time.Second // after the answer to the last ping
)

// rung is one of the ways down, and what was measured of it.
type rung struct {
	id, name, request, whenWorks string
	open                         opener

	state      string        // one of those below
	firstEvent time.Duration // 0: it did not come
	failed     *failure
	posts      []post
	arrivals   []arrival
	spacing
}

// The states of a rung, which are those of the page /doctor.
const (
	works      = "works"
	lumps      = "lumps"      // events come late, and together
	held       = "held"       // no events come, but nothing says no
	broken     = "broken"     // some events are lost
	unanswered = "unanswered" // the stream opens, but nothing can be sent
	stored     = "stored"     // a cache repeats an old stream
	blocked    = "blocked"
)

// climb measures all rungs at once. Each opens a socket of its own and sends pings by POST;
// the pongs show what happens to events on the way.
func (e *examiner) climb(ctx context.Context) outcome {
	rungs := []*rung{
		{id: "eventSource", name: "Live stream (GET)", request: "GET /events", whenWorks: simplestWay, open: e.stream(http.MethodGet, "/events", "")},
		{id: "fetchStream", name: "Live stream (POST)", request: "POST /events/stream", whenWorks: heldBackWay, open: e.stream(http.MethodPost, "/events/stream", "")},
		{id: "poll", name: "Long polling", request: "GET /events/poll", whenWorks: slowestWay, open: e.poll},
	}
	var measuring sync.WaitGroup
	for _, r := range rungs {
		measuring.Go(func() { e.measure(ctx, r) })
	}
	measuring.Wait()
	e.iceServers.giveUp()
	var all []post
	for _, r := range rungs {
		all = append(all, r.posts...)
	}
	var findings []Finding
	for _, r := range rungs {
		r.judge(all)
		findings = append(findings, e.adviseOnRung(r))
	}
	return found(append(findings, e.adviseOnPosts(ctx, all))...)
}

func (e *examiner) measure(ctx context.Context, r *rung) {
	opened := time.Now()
	reading := read(ctx, r.open)
	connected, failed := reading.next("connected", e.Timeout)
	if failed == nil {
		r.firstEvent = connected.at.Sub(opened)
		e.iceServers.set(connected.ICEServers)
		failed = e.exchangePings(ctx, r, reading, connected.Token)
	}
	r.failed = failed
	reading.close() // before its socket ends: a later poll would open a new socket
	e.leave(ctx, connected.Token)
}

func (e *examiner) exchangePings(ctx context.Context, r *rung, reading *reading, token string) *failure {
	began := time.Now()
	outcomes := make(chan post, pings)
	var posting sync.WaitGroup
	defer posting.Wait()
	send := func() { posting.Go(func() { outcomes <- e.post(ctx, token, ping) }) }
	send()
	ticker := time.NewTicker(e.pingInterval)
	defer ticker.Stop()
	enough := time.NewTimer(pings*e.pingInterval + e.Timeout + pongsWithin)
	defer enough.Stop()
	for sent := 1; len(r.posts) < pings || len(r.arrivals) < r.accepted(); {
		select {
		case <-ticker.C:
			if sent < pings {
				sent++
				send()
			}
		case p := <-outcomes:
			if r.posts = append(r.posts, p); len(r.posts) == pings {
				enough.Reset(pongsWithin)
			}
		case got, isOpen := <-reading.events:
			switch {
			case !isOpen:
				return reading.failed
			case got.Type == "disconnected":
				return &failure{reason: got.Reason}
			case got.Type == "pong":
				var left int64 // milliseconds since 1970
				_ = json.Unmarshal(got.Timestamp, &left)
				r.arrivals = append(r.arrivals, arrival{got.at.Sub(began), time.Duration(left) * time.Millisecond})
			}
		case <-enough.C:
			return nil
		case <-ctx.Done():
			return &failure{isSilent: true}
		}
	}
	return nil
}

// accepted returns how many pings the server accepted.
func (r *rung) accepted() (count int) {
	for _, p := range r.posts {
		if p.isAccepted() {
			count++
		}
	}
	return count
}

func isPostAccepted(p post) bool { return p.isAccepted() }

// judge names the state of a rung. A poll always collects the events between two answers,
// so it cannot have lumps. All are the POSTs of all rungs.
func (r *rung) judge(all []post) {
	r.spacing = judgeSpacing(r.arrivals)
	isRefused := len(r.posts) == pings && r.accepted() == 0
	switch {
	case r.firstEvent == 0 && (r.failed.isSilent || r.failed.isOpened):
		r.state = held // a proxy that holds a stream back may also cut it, because it is idle
	case r.firstEvent == 0:
		r.state = blocked
	case isRefused && r.isUnknown() && slices.ContainsFunc(all, isPostAccepted):
		r.state = stored // the server knows the tokens of other rungs, so the token was not lost on the way up
	case isRefused:
		r.state = unanswered
	case len(r.arrivals) == 0:
		r.state = held
	case len(r.arrivals) < r.accepted(), r.failed != nil:
		r.state = broken
	case r.id != "poll" && r.isLumpy(pings):
		r.state = lumps
	default:
		r.state = works
	}
}

// isUnknown reports whether the server did not know the socket in any POST.
func (r *rung) isUnknown() bool {
	return !slices.ContainsFunc(r.posts, func(p post) bool { return p.status != http.StatusUnauthorized })
}

func (e *examiner) adviseOnRung(r *rung) Finding {
	finding := func(level Level, title, text, advice string, lines ...Line) Finding {
		return Finding{r.id, level, r.name + " " + title, text, say(advice, "address", e.address, "request", r.request, "path", strings.Fields(r.request)[1]), lines}
	}
	first := fmt.Sprintf("The first event came after %s", duration(r.firstEvent))
	switch r.state {
	case works:
		return finding(Good, "works", fmt.Sprintf("%s, and the %d others came one by one.", first, pings), r.whenWorks)
	case lumps:
		return finding(Warn, "brings events late", fmt.Sprintf("Up to %d events came at once, held back for up to %s.", r.lump, duration(r.heldFor)), unbuffer, lines[faultBuffering]...)
	case held:
		text := fmt.Sprintf("%s, but none of the %d others.", first, pings)
		if r.firstEvent == 0 {
			text = "The request was accepted, but no event came."
		}
		if r.id == "poll" {
			return finding(Bad, "is held back", text, uninspect)
		}
		return finding(Bad, "is held back", text, unbuffer, lines[faultBuffering]...)
	case broken:
		return finding(Bad, "breaks off", fmt.Sprintf("Only %d of %s came through.", len(r.arrivals), plural(pings, "event")), uncut, lines[faultIdle]...)
	case stored:
		return finding(Bad, "brings old events from a cache", "The stream that arrived was stored on the way: the server does not know it any more.", unstore)
	case unanswered:
		return finding(Warn, "opens, but nothing can be sent", first+", but the server accepted none of the requests that followed.", mendSending)
	}
	if text, isBusy := r.failed.isBusy(); isBusy {
		return finding(Warn, "is refused by the server", text, again)
	}
	text := fmt.Sprintf("Something on the way cut the request %s, or answered in place of the server.", r.request)
	if r.failed.status >= 400 {
		text = answered("The request "+r.request, r.failed.status) + "."
	}
	return finding(Bad, "is blocked", text, letThrough)
}

// adviseOnPosts sums up the POSTs of all rungs. If no rung got a token, there were none. Then
// a POST with a wrong token shows whether the server can be reached: the server answers 401.
func (e *examiner) adviseOnPosts(ctx context.Context, posts []post) Finding {
	if len(posts) == 0 {
		p := e.post(ctx, "none", ping)
		if p.status == http.StatusUnauthorized {
			return Finding{"post", Good, "Sending works", "A request got through.", nothing, nil}
		}
		posts = []post{p}
	}
	accepted := slices.Collect(func(yield func(time.Duration) bool) {
		for _, p := range posts {
			if p.isAccepted() && !yield(p.roundTrip) {
				return
			}
		}
	})
	text := fmt.Sprintf("%d of %s got through", len(accepted), plural(len(posts), "request"))
	if len(accepted) == len(posts) {
		slices.Sort(accepted)
		typical := accepted[len(accepted)/2]
		advice := nothing
		if typical > 500*time.Millisecond {
			advice = slowSending
		}
		return Finding{"post", Good, "Sending works", fmt.Sprintf("%s, typically in %s.", text, duration(typical)), advice, nil}
	}
	refused := posts[slices.IndexFunc(posts, func(p post) bool { return !p.isAccepted() })]
	text += "."
	if refused.status != 0 {
		text += " " + answered("One", refused.status) + "."
	}
	switch {
	case len(accepted) > 0:
		return Finding{"post", Warn, "Sending sometimes fails", text, rareFailures, nil}
	case refused.status == http.StatusUnauthorized:
		return Finding{"post", Bad, "Sending is refused", text, say(keepToken, "address", e.address), nil}
	}
	return Finding{"post", Bad, "Sending is blocked", text, say(letPost, "address", e.address), nil}
}
