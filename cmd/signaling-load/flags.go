package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"
)

// settings are the flags of the command line.
type settings struct {
	url        *url.URL
	floor      bool
	clients    int
	roomSize   int
	connecting int

	poll       bool
	netHTTP    bool
	rate       float64 // events a second of all clients together; 0: each client waits for its event, then sends the next
	batch      int
	candidates int
	warmup     time.Duration
	duration   time.Duration
	settle     time.Duration

	pid  int
	json bool
}

func parse(args []string, stderr io.Writer) (settings, error) {
	var s settings
	flags := flag.NewFlagSet("signaling-load", flag.ContinueOnError)
	flags.SetOutput(stderr)
	address := flags.String("url", "http://localhost:3002", "`address` of the server")
	flags.BoolVar(&s.floor, "floor", false, "speak the protocol of the floor, a bare server to compare with")
	flags.IntVar(&s.clients, "clients", 200, "how many `clients`")
	flags.IntVar(&s.roomSize, "room-size", 2, "how many `clients` share a room, and signal each other")
	flags.IntVar(&s.connecting, "connecting", 64, "how many `clients` may connect and join at once")
	transport := flags.String("transport", "stream", "how clients receive: `stream` or poll")
	flags.BoolVar(&s.netHTTP, "net-http", false, "make requests by net/http, one transport a client; always so for https, which then speaks HTTP/2 if the server does")
	flags.Float64Var(&s.rate, "rate", 0, "`events` a second of all clients together; 0: each client sends the next when its last has arrived")
	flags.IntVar(&s.batch, "batch", 1, "how many `events` go in one request")
	flags.IntVar(&s.candidates, "candidates", 5, "how many `candidates` follow each offer or answer")
	flags.DurationVar(&s.warmup, "warmup", time.Second, "how `long` to send before the measuring begins")
	flags.DurationVar(&s.duration, "duration", 10*time.Second, "how `long` to measure")
	flags.DurationVar(&s.settle, "settle", 2*time.Second, "how `long` to be idle between joining and sending; then the memory is read")
	flags.IntVar(&s.pid, "pid", 0, "`process` of the server, on this machine: its processor time and memory are reported")
	flags.BoolVar(&s.json, "json", false, "print the result as JSON")
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	s.poll = *transport == "poll"
	var err error
	if s.url, err = url.Parse(strings.TrimRight(*address, "/")); err != nil || s.url.Host == "" || s.url.Scheme != "http" && s.url.Scheme != "https" {
		return s, fmt.Errorf("-url %s is not the address of a server: write it as http://localhost:3002", *address)
	}
	s.netHTTP = s.netHTTP || s.url.Scheme == "https"
	switch {
	case flags.NArg() > 0:
		return s, fmt.Errorf("there are no arguments beside the flags: %q", flags.Args())
	case *transport != "stream" && *transport != "poll":
		return s, fmt.Errorf("-transport is stream or poll, not %q", *transport)
	case s.floor && (s.poll || s.batch > 1):
		return s, errors.New("the floor has neither polls nor batches: leave out -transport and -batch")
	case s.clients < 1 || s.connecting < 1 || s.roomSize < 1 || s.batch < 1:
		return s, errors.New("-clients, -connecting, -room-size and -batch must be 1 or more")
	case s.duration > 0 && (s.roomSize < 2 || s.clients < 2):
		return s, errors.New("a client alone in its room has nobody to signal: let -room-size and -clients be 2 or more")
	case s.rate < 0 || s.candidates < 0 || s.warmup < 0 || s.duration < 0 || s.settle < 0:
		return s, errors.New("-rate, -candidates and the times must not be negative")
	}
	return s, nil
}
