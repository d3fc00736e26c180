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

// rule is a rule of the protocol, and the trial that shows whether a server keeps it.
type rule struct {
	section  string
	id       string // for -run, reports and docs/protocol.md
	sentence string // as docs/protocol.md has it
	try      func(*trial)
}

// The sections of docs/protocol.md, in its order.
const (
	identity     = "Identity"
	streams      = "Opening and resuming a stream"
	polling      = "Polling"
	sending      = "Sending"
	clientEvents = "Client events"
	serverEvents = "Server events"
	rooms        = "Rooms"
	problems     = "Problems"
	monitoring   = "Monitoring"
	promises     = "What a client may rely on"
)

func allRules() []rule {
	return slices.Concat(identityRules, streamRules, pollingRules, sendingRules, clientEventRules, serverEventRules, roomRules, problemRules,
		monitoringRules, promiseRules)
}

// result is the outcome of a trial. The rule is kept if both texts are empty.
type result struct {
	rule
	broken  string // how it is broken
	skipped string // why it could not be tried
	took    time.Duration
}

// trial tries one rule. Everything that it opens ends with it. Its methods must be
// called by the goroutine of the trial, like those of testing.T.
type trial struct {
	ctx      context.Context
	settings settings
	http     *http.Client
	result   *result
	peers    []*peer

	background sync.WaitGroup // goroutines that the trial has started, which end with ctx
}

// try tries a rule in a goroutine of its own, and waits for it.
func try(ctx context.Context, s settings, r rule) result {
	res := result{rule: r}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	transport := &http.Transport{MaxIdleConnsPerHost: 16, DisableCompression: true}
	defer transport.CloseIdleConnections()
	t := &trial{ctx: ctx, settings: s, http: &http.Client{Transport: transport, CheckRedirect: neverFollow}, result: &res}
	began := time.Now()
	done := make(chan struct{})
	go func() { // ends with the trial, or by Goexit; everything that the trial waits for ends with ctx
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

// leave ends all sockets of the trial, so that the next trials find an idle server.
func (t *trial) leave() {
	for _, p := range t.peers {
		p.hangUp()
		_, _ = t.do(http.MethodPost, "/events", p.bearer("Content-Type", "application/json"), `{"type":"disconnect"}`) // the socket may have ended
	}
}

// fail ends the trial: the rule is broken.
func (t *trial) fail(format string, values ...any) {
	t.result.broken = fmt.Sprintf(format, values...)
	runtime.Goexit()
}

// skip ends the trial: the rule could not be tried.
func (t *trial) skip(format string, values ...any) {
	t.result.skipped = fmt.Sprintf(format, values...)
	runtime.Goexit()
}

// expect fails the trial if two values differ.
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
