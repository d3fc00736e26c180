// Command signaling-load measures a server of the signaling protocol under load:
//
//	go run ./cmd/signaling-load -url http://localhost:3002 -clients 200 -duration 30s
//
// Clients connect, join rooms and send each other offers, answers and candidates, as at
// the start of a call. Each event is checked: none may be lost, doubled or reordered.
// The exit status is 0 if all events arrived, 1 if not, and 2 if nothing was measured.
//
// Several nodes that are one server are given by several -url. Requests then go to the nodes
// in turn, streams that break are resumed, and requests without an answer are repeated.
//
// The server's limits are made for clients of many addresses. To measure how much a
// server can do, start it with OPENS_PER_ADDRESS=0 POSTS_PER_ADDRESS=0
// EVENTS_PER_ADDRESS=0 POSTS_PER_SOCKET=0 EVENTS_PER_SOCKET=0.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"

	"signaling-server/internal/version"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run runs the command and returns its exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	s, err := parse(args, stderr)
	if err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(stderr, err)
		}
		return 2
	}
	if s.version {
		fmt.Fprintln(stdout, version.Text("signaling-load"))
		return 0
	}
	r, err := newLoad(s).run(ctx, newProgress(stderr))
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 2
	}
	if s.json {
		encoder := json.NewEncoder(stdout)
		encoder.SetIndent("", "  ")
		_ = encoder.Encode(r)
	} else {
		r.write(stdout)
	}
	if s.report != "" {
		if err := r.writeReport(s.report); err != nil {
			fmt.Fprintln(stderr, err)
			return 2
		}
	}
	if r.Check.IsBroken() {
		return 1
	}
	return 0
}
