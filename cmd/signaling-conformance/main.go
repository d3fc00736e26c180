// Command signaling-conformance tells whether a server keeps the rules of the
// signaling protocol. It asks by HTTP alone, and shares no code with any server:
//
//	go run ./cmd/signaling-conformance -url http://localhost:3002
//
// Each rule is told with its sentence of the protocol, and where it is broken with
// what was expected and what was seen. The exit status is 0 where all rules are
// kept, 1 where one is broken, and 2 where nothing could be tried. It makes some
// hundred sockets and a few thousand requests, in rooms of its own, and leaves
// nothing behind. The server must not demand access tokens.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"sync"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// settings are what the command line says.
type settings struct {
	url        string
	junit      string
	chosen     *regexp.Regexp
	list       bool
	parallel   int
	timeout    time.Duration
	adminToken string
}

func parse(args []string, stderr io.Writer) (settings, error) {
	var s settings
	flags := flag.NewFlagSet("signaling-conformance", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&s.url, "url", "http://localhost:3002", "the `address` of the server")
	flags.StringVar(&s.junit, "junit", "", "write the report to this `file` as JUnit XML, too")
	run := flags.String("run", "", "try the rules alone whose names match this `expression`")
	flags.BoolVar(&s.list, "list", false, "list the rules, and try none")
	flags.IntVar(&s.parallel, "parallel", 8, "how many `rules` to try at once")
	flags.DurationVar(&s.timeout, "timeout", time.Minute, "how `long` a rule may take")
	flags.StringVar(&s.adminToken, "admin-token", os.Getenv("ADMIN_TOKEN"), "the operators' `token`, for the rules of monitoring")
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	var err error
	if s.chosen, err = regexp.Compile(*run); err != nil {
		return s, fmt.Errorf("-run: %w", err)
	}
	if s.parallel < 1 || s.timeout <= 0 || flags.NArg() > 0 {
		return s, errors.New("-parallel and -timeout must be more than nothing, and there are no arguments beside flags")
	}
	s.url = strings.TrimRight(s.url, "/")
	return s, nil
}

// run is the command, and returns its exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	s, err := parse(args, stderr)
	if err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(stderr, err)
		}
		return 2
	}
	var chosen []rule
	for _, r := range allRules() {
		if s.chosen.MatchString(r.name) {
			chosen = append(chosen, r)
		}
	}
	if s.list {
		writeList(stdout, chosen)
		return 0
	}
	if err := isThere(ctx, s.url); err != nil {
		fmt.Fprintf(stderr, "There is no server to try at %s: %v\n", s.url, err)
		return 2
	}
	results := tryAll(ctx, s, chosen, stdout)
	writeReport(stdout, s.url, results)
	if s.junit != "" {
		if err := writeJUnit(s.junit, results); err != nil {
			fmt.Fprintln(stderr, err)
			return 2
		}
	}
	for _, r := range results {
		if r.broken != "" {
			return 1
		}
	}
	return 0
}

func isThere(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/livez", nil)
	if err != nil {
		return err
	}
	defer http.DefaultClient.CloseIdleConnections()
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// tryAll tries rules, some at once, and returns what became of them in their
// order.
func tryAll(ctx context.Context, s settings, rules []rule, progress io.Writer) []result {
	results := make([]result, len(rules))
	tried := make(chan result, len(rules))
	slots := make(chan struct{}, s.parallel)
	var trying sync.WaitGroup
	for i, r := range rules {
		trying.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			results[i] = try(ctx, s, r)
			tried <- results[i]
		})
	}
	for i := range rules {
		writeProgress(progress, i+1, len(rules), <-tried)
	}
	trying.Wait()
	return results
}
