package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// settings are the flags of the command line, and two secrets of the environment.
type settings struct {
	nodes     []*url.URL // of the server; most servers have one
	floor     bool
	poll      bool
	netHTTP   bool
	asBrowser bool
	keepAlive bool
	shared    int // connections for the POSTs of all clients; 0: each client has its own

	clients    int
	roomSize   int
	connecting int

	resume bool          // clients come back as the same socket when their stream breaks, and repeat requests
	retry  time.Duration // before a client comes back; 0: as the shipped clients do

	idle       bool
	heartbeats bool
	churn      float64 // clients a second
	rate       float64 // events a second of all clients together; 0: each client waits for its event, then sends the next
	batch      int
	candidates int

	settle   time.Duration
	warmup   time.Duration
	duration time.Duration
	rest     time.Duration

	pids         []int // of the server's processes
	engine       []int // of the processes of NATS
	metrics      bool
	adminToken   string
	accessSecret string

	json    bool
	report  string
	version bool // print it and exit
}

func parse(args []string, stderr io.Writer) (settings, error) {
	var s settings
	flags := flag.NewFlagSet("signaling-load", flag.ContinueOnError)
	flags.SetOutput(stderr)

	var addresses, pids, engine list
	flags.Var(&addresses, "url", "`address` of the server, by default http://localhost:3002; of several nodes if it is repeated or has commas: then requests go to them in turn, and -resume is on")
	flags.BoolVar(&s.floor, "floor", false, "speak the protocol of internal/bench/floor, a bare server to compare with")
	transport := flags.String("transport", "stream", "how clients receive: `stream` or poll")
	flags.BoolVar(&s.netHTTP, "net-http", false, "make requests by net/http, as is done for https; then the protocol is HTTP/2 if the server speaks it")
	flags.BoolVar(&s.asBrowser, "browser", false, "send the headers that Chromium sends, which cost a server more than few")
	flags.BoolVar(&s.keepAlive, "keep-alive", true, "keep each client's connection for POSTs open between requests")

	flags.IntVar(&s.shared, "post-connections", 0, "`number` of connections that all clients share for POSTs, as behind a proxy; 0: each client has its own")

	flags.IntVar(&s.clients, "clients", 200, "`number` of clients")
	flags.IntVar(&s.roomSize, "room-size", 2, "`number` of clients in a room, which signal each other")
	flags.IntVar(&s.connecting, "connecting", 64, "`number` of clients that may connect or join at once")

	flags.BoolVar(&s.resume, "resume", false, "come back as the same socket when a stream breaks, and repeat requests that a node could not answer; POSTs then have an Idempotency-Key")
	flags.DurationVar(&s.retry, "retry", 0, "`time` before a client comes back, as EventSource waits; 0: at once, then at growing intervals, as the shipped clients do")

	flags.BoolVar(&s.idle, "idle", false, "send no events: measure what idle sockets cost")
	flags.BoolVar(&s.heartbeats, "heartbeats", false, "answer each heartbeat, as the shipped clients do")
	flags.Float64Var(&s.churn, "churn", 0, "let this `number` of clients a second leave and come back, a room at a time")
	flags.Float64Var(&s.rate, "rate", 0, "`events` per second of all clients together; 0: each client sends its next event when the last has arrived")
	flags.IntVar(&s.batch, "batch", 1, "`number` of events in one request")
	flags.IntVar(&s.candidates, "candidates", 5, "`number` of candidates after each offer or answer")

	flags.DurationVar(&s.settle, "settle", 2*time.Second, "`time` without events after joining; then the idle memory is read")
	flags.DurationVar(&s.warmup, "warmup", time.Second, "`time` to send before the measuring begins")
	flags.DurationVar(&s.duration, "duration", 10*time.Second, "`time` to measure")
	flags.DurationVar(&s.rest, "rest", 0, "`time` without events at the end; then the memory is read again")

	flags.Var(&pids, "pid", "`ID` of the server's process on this machine, to report its processor time and memory; of each node if it is repeated or has commas")
	flags.Var(&engine, "engine-pid", "`ID` of a process of the engine (NATS), which is reported beside the server; may be repeated or have commas")
	flags.BoolVar(&s.metrics, "metrics", false, "report the processor time, memory and allocations that the server's /metrics tell")
	flags.StringVar(&s.adminToken, "admin-token", "", "the operators' `token`, which -metrics needs in production; default ADMIN_TOKEN")

	flags.BoolVar(&s.json, "json", false, "print the result as JSON")
	flags.StringVar(&s.report, "report", "", "write a page with plots to this `file`")
	flags.BoolVar(&s.version, "version", false, "print the version, the commit and the Go of this command, and exit")
	flags.Usage = func() {
		fmt.Fprint(stderr, "signaling-load measures a server of the signaling protocol under load.\n\n")
		flags.PrintDefaults()
		fmt.Fprint(stderr, "\nIf the server demands access tokens, set ACCESS_SECRET to its secret.\n")
	}
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	if flags.NArg() > 0 {
		return s, fmt.Errorf("unknown argument %q: there are only flags, and -h lists them", flags.Arg(0))
	}
	if *transport != "stream" && *transport != "poll" {
		return s, fmt.Errorf("-transport %s: write stream or poll", *transport)
	}
	if len(addresses) == 0 {
		addresses = list{"http://localhost:3002"}
	}
	for _, address := range addresses {
		node, err := url.Parse(strings.TrimRight(address, "/"))
		if err != nil || node.Host == "" || node.Scheme != "http" && node.Scheme != "https" {
			return s, fmt.Errorf("-url %q: write an address such as http://localhost:3002", address)
		}
		s.nodes = append(s.nodes, node)
	}
	var err error
	if s.pids, err = pids.processes("-pid"); err != nil {
		return s, err
	}
	if s.engine, err = engine.processes("-engine-pid"); err != nil {
		return s, err
	}
	s.poll = *transport == "poll"
	s.resume = s.resume || len(s.nodes) > 1
	s.netHTTP = s.netHTTP || s.nodes[0].Scheme == "https"
	s.adminToken = cmp.Or(s.adminToken, os.Getenv("ADMIN_TOKEN")) // not as the flag's default: the usage text would show the token
	s.accessSecret = os.Getenv("ACCESS_SECRET")
	return s, s.check()
}

// check reports flags that do not fit together.
func (s settings) check() error {
	switch {
	case s.floor && (s.poll || s.batch > 1 || s.heartbeats):
		return errors.New("-floor: the floor has no polls, no batches and no heartbeats of clients: leave out -transport, -batch and -heartbeats")
	case s.floor && s.resume:
		return errors.New("-floor: the floor resumes nothing: give one -url, and leave out -resume")
	case len(s.nodes) > 1 && s.metrics:
		return errors.New("-metrics reads one server: give one -url, or -pid for each node")
	case slices.ContainsFunc(s.nodes, func(n *url.URL) bool { return n.Scheme != s.nodes[0].Scheme || n.Path != s.nodes[0].Path }):
		return errors.New("-url: all nodes must have the same scheme and path")
	case s.floor && s.metrics && len(s.pids) == 0:
		return errors.New("-floor -metrics: the metrics of the floor have its allocations only: set -pid too")
	case s.clients < 1 || s.roomSize < 1 || s.connecting < 1 || s.batch < 1:
		return errors.New("-clients, -room-size, -connecting and -batch must be 1 or more")
	case s.shared < 0 || s.shared > 0 && s.netHTTP:
		return errors.New("-post-connections must not be negative, and needs http without -net-http")
	case s.sends() && (s.roomSize < 2 || s.clients < 2):
		return errors.New("a client that is alone in its room cannot signal: set -room-size and -clients to 2 or more, or add -idle")
	case min(s.rate, s.churn) < 0 || s.candidates < 0 || min(s.settle, s.warmup, s.duration, s.rest, s.retry) < 0:
		return errors.New("rates, times and -candidates must not be negative")
	case len(s.engine) > 0 && len(s.pids) == 0:
		return errors.New("-engine-pid is reported beside the server: set -pid too")
	}
	return nil
}

// sends reports whether clients send events.
func (s settings) sends() bool { return !s.idle && s.duration > 0 }

// list is a flag that may be repeated, and that may have commas.
type list []string

func (l *list) String() string { return strings.Join(*l, ",") }

func (l *list) Set(text string) error {
	*l = append(*l, strings.Split(text, ",")...)
	return nil
}

// processes returns the process IDs that a flag lists.
func (l list) processes(name string) (ids []int, err error) {
	for _, text := range l {
		id, err := strconv.Atoi(text)
		if err != nil || id <= 0 {
			return nil, fmt.Errorf("%s %q: write the ID of a process: pgrep signaling-server shows it", name, text)
		}
		ids = append(ids, id)
	}
	return ids, nil
}
