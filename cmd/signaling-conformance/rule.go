package main

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

// rule is one that the protocol makes, and how to see whether it is kept.
type rule struct {
	section  string
	name     string // for -run and for reports
	sentence string // of the protocol
	try      func(*trial)
}

// The sections of the protocol, in its order.
const (
	identity = "Identity"
	streams  = "Opening and resuming a stream"
	events   = "Server events"
	sending  = "Sending"
	problems = "Problems"
	polling  = "Where a stream cannot live: long polling"
	watching = "Monitoring"
	promises = "What a client may rely on"
)

func allRules() []rule {
	return slices.Concat(identityRules, streamRules, eventRules, sendingRules, problemRules, pollingRules, monitoringRules, promiseRules)
}

// result is what became of a rule. It is kept where neither text is there.
type result struct {
	rule
	broken  string // how
	skipped string // why
	took    time.Duration
}

// trial is one try of one rule. What it opens ends with it. Its methods belong to
// the goroutine of the try, as those of testing.T do.
type trial struct {
	ctx      context.Context
	settings settings
	http     *http.Client
	result   *result
	peers    []*peer

	background sync.WaitGroup // what the try has begun, and what ends with ctx
}

// try tries a rule, in a goroutine that ends before it returns.
func try(ctx context.Context, s settings, r rule) result {
	res := result{rule: r}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	transport := &http.Transport{MaxIdleConnsPerHost: 16, DisableCompression: true}
	defer transport.CloseIdleConnections()
	t := &trial{ctx: ctx, settings: s, http: &http.Client{Transport: transport, CheckRedirect: neverFollow}, result: &res}
	began := time.Now()
	done := make(chan struct{})
	go func() { // ends by itself or by Goexit; all that it waits for ends with ctx
		defer close(done)
		defer t.leave()
		r.try(t)
	}()
	<-done
	res.took = time.Since(began)
	cancel()
	t.background.Wait()
	return res
}

func neverFollow(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// leave ends all sockets of the try, so that the next ones find an idle server.
func (t *trial) leave() {
	for _, p := range t.peers {
		p.hangUp()
		_, _ = t.do(http.MethodPost, "/events", p.bearer("Content-Type", "application/json"), `{"type":"disconnect"}`) // it may have ended
	}
}

// fail says how the rule is broken, and ends the try.
func (t *trial) fail(format string, values ...any) {
	t.result.broken = fmt.Sprintf(format, values...)
	runtime.Goexit()
}

// skip says why the rule cannot be tried, and ends the try.
func (t *trial) skip(format string, values ...any) {
	t.result.skipped = fmt.Sprintf(format, values...)
	runtime.Goexit()
}

// expect fails where two values differ.
func (t *trial) expect(what string, want, got any) {
	if w, g := fmt.Sprintf("%v", want), fmt.Sprintf("%v", got); w != g {
		t.fail("%s\nexpected: %s\nseen:     %s", what, shortened(w), shortened(g))
	}
}

func shortened(text string) string {
	text = strings.ReplaceAll(text, "\n", "\\n")
	if len(text) > 600 {
		return text[:600] + "…"
	}
	return text
}
