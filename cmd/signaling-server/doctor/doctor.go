// Package doctor tries, from one machine, all that a client needs on its way to a
// signaling server. It is what the page /doctor is for a browser, and says what to change
// in the same words.
package doctor

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/url"
	"sync"
	"time"

	"signaling-server/client"
)

// Options say what to try. Server, Timeout and Wait are needed.
type Options struct {
	Server *url.URL // http or https; may have a path
	// Origin is that of a page that shall use the server, such as
	// "https://app.example.com". If it is empty, nothing is tried for pages.
	Origin string
	// AccessToken lets two sockets join its room for a moment. It gets into no report. It is
	// not sent if the server's certificate is wrong.
	AccessToken string
	Timeout     time.Duration  // how long to wait for each answer
	Wait        time.Duration  // how long a stream is left idle: 1 s to 3 minutes
	Roots       *x509.CertPool // the authorities to trust; nil: the system's
	Began       func(string)   // if not nil, called with the title of each check that begins
	Ended       func(Result)   // if not nil, called with each result; the calls of both never overlap

	pingInterval time.Duration // 0: 250 ms, so that a proxy that collects events shows itself
}

// Run makes all checks, and returns what they found. A check that fails stops no other
// check that can still run. Run returns within about Wait and twelve times Timeout, and soon
// after ctx ends.
func Run(ctx context.Context, o Options) Report {
	e := newExaminer(o)
	defer func() { e.http.CloseIdleConnections() }() // e.http may be replaced

	if e.try(ctx, checkNames, e.lookUp).isHopeless || e.try(ctx, checkEncryption, e.encrypt).isHopeless {
		return e.report
	}
	if !e.verified {
		e.http.CloseIdleConnections()
		e.http = newClient(&tls.Config{InsecureSkipVerify: true}) // or nothing else could be tried
	}
	if e.try(ctx, checkServer, e.identify).isHopeless {
		return e.report
	}
	var running sync.WaitGroup
	begin := func(title string, check func(context.Context) outcome) {
		running.Go(func() { e.try(ctx, title, check) })
	}
	begin(checkWay, e.exchange)
	begin(checkRungs, e.climb)
	begin(checkResume, e.resume)
	begin(checkRoom, e.meet)
	begin(checkSilence, e.listen)
	if e.Origin != "" {
		begin(checkOrigin, e.askAsPage)
	}
	running.Go(func() {
		servers, areKnown := e.iceServers.wait(ctx)
		e.try(ctx, checkTURN, func(ctx context.Context) outcome {
			if !areKnown {
				return found(Finding{"candidates", Info, "STUN and TURN were not tried", "The server names them in its first event, which did not come.", mendStreams, nil})
			}
			return e.relay(ctx, servers)
		})
	})
	running.Wait()
	e.report.sort()
	return e.report
}

// The titles of the checks, in the order of a report.
const (
	checkNames      = "Names and addresses"
	checkEncryption = "Encryption"
	checkServer     = "Who answers"
	checkWay        = "Headers, protocol, clocks"
	checkRungs      = "Ways down and up"
	checkResume     = "Batch and resume"
	checkRoom       = "A room"
	checkOrigin     = "Pages of the origin"
	checkTURN       = "STUN and TURN"
	checkSilence    = "Idle streams"
)

var order = []string{checkNames, checkEncryption, checkServer, checkWay, checkRungs, checkResume, checkRoom, checkOrigin, checkTURN, checkSilence}

// outcome is what a check found. If it is hopeless, no further check can run.
type outcome struct {
	findings   []Finding
	isHopeless bool
}

func found(findings ...Finding) outcome { return outcome{findings: findings} }

// examiner makes the checks of one report.
type examiner struct {
	Options
	address    string // of the server, as findings name it
	http       *http.Client
	verified   bool // the server's certificate is right, or it needs none
	iceServers iceServers

	mu        sync.Mutex // guards what follows, and the calls of Began and Ended
	report    Report
	heartbeat time.Duration // the longest that a stream of the server is silent
}

func newExaminer(o Options) *examiner {
	server := *o.Server
	server.User = nil // may hold a password
	o.pingInterval = cmp.Or(o.pingInterval, 250*time.Millisecond)
	return &examiner{
		Options:    o,
		address:    trimSlash(server.String()),
		http:       newClient(&tls.Config{RootCAs: o.Roots}),
		verified:   true,
		iceServers: iceServers{over: make(chan struct{})},
		report:     Report{Server: trimSlash(server.String()), MeasuredAt: time.Now().UTC().Truncate(time.Second)},
		heartbeat:  10 * time.Second, // the default of the server
	}
}

// newClient makes a client without a time-out, because streams have no end.
func newClient(config *tls.Config) *http.Client {
	return &http.Client{
		Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: config, ForceAttemptHTTP2: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// try makes a check, and notes its result.
func (e *examiner) try(ctx context.Context, title string, check func(context.Context) outcome) outcome {
	e.mu.Lock()
	if e.Began != nil {
		e.Began(title)
	}
	e.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, e.Wait+8*e.Timeout)
	defer cancel()
	began := time.Now()
	got := check(ctx)
	result := Result{Check: title, Milliseconds: time.Since(began).Milliseconds(), Findings: got.findings}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.report.Results = append(e.report.Results, result)
	if e.Ended != nil {
		e.Ended(result)
	}
	return got
}

// iceServers are those that the first socket has been given.
type iceServers struct {
	once    sync.Once
	over    chan struct{} // closed when they are known, or never will be
	known   bool
	servers []client.ICEServer
}

func (i *iceServers) set(servers []client.ICEServer) {
	i.once.Do(func() {
		i.servers, i.known = servers, true
		close(i.over)
	})
}

// giveUp has no effect if they are set.
func (i *iceServers) giveUp() { i.once.Do(func() { close(i.over) }) }

func (i *iceServers) wait(ctx context.Context) (servers []client.ICEServer, areKnown bool) {
	select {
	case <-i.over:
		return i.servers, i.known
	case <-ctx.Done():
		return nil, false
	}
}
