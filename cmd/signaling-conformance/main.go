// Command signaling-conformance reports whether a server keeps the rules of the
// signaling protocol. It speaks HTTP only, and shares no code with any server:
//
//	go run ./cmd/signaling-conformance -url http://localhost:3002
//
// For each rule it prints the sentence of docs/protocol.md. For a broken rule it
// also prints what it expected and what it saw. The exit status is 0 if all rules
// are kept, 1 if one is broken, and 2 if nothing could be tried. It opens about a
// hundred sockets and sends a few thousand requests, in rooms of its own, and
// leaves nothing behind. The server must not demand access tokens.
package main

import (
	"cmp"
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

	"signaling-server/internal/version"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// settings are the flags of the command line.
type settings struct {
	url        string
	junit      string
	chosen     *regexp.Regexp
	list       bool
	version    bool
	parallel   int
	timeout    time.Duration
	adminToken string
}

func parse(args []string, stderr io.Writer) (settings, error) {
	var s settings
	flags := flag.NewFlagSet("signaling-conformance", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&s.url, "url", "http://localhost:3002", "`address` of the server to try")
	flags.StringVar(&s.junit, "junit", "", "also write the report to this `file`, as JUnit XML")
	run := flags.String("run", "", "try only the rules whose IDs match this regular `expression`")
	flags.BoolVar(&s.list, "list", false, "list the rules and exit")
	flags.BoolVar(&s.version, "version", false, "print the version, the commit and the Go of this command, and exit")
	flags.IntVar(&s.parallel, "parallel", 8, "try this many `rules` at once")
	flags.DurationVar(&s.timeout, "timeout", time.Minute, "how `long` one rule may take")
	flags.StringVar(&s.adminToken, "admin-token", "", "the operators' `token`, which the rules of monitoring need in production; default ADMIN_TOKEN")
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	var err error
	if s.chosen, err = regexp.Compile(*run); err != nil {
		return s, fmt.Errorf("-run: %w", err)
	}
	if s.parallel < 1 || s.timeout <= 0 || flags.NArg() > 0 {
		return s, errors.New("-parallel and -timeout must be positive; there are no arguments beside the flags")
	}
	s.url = strings.TrimRight(s.url, "/")
	s.adminToken = cmp.Or(s.adminToken, os.Getenv("ADMIN_TOKEN")) // not as the flag's default: the usage text would show the token
	return s, nil
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
		fmt.Fprintln(stdout, version.Text("signaling-conformance"))
		return 0
	}
	var chosen []rule
	for _, r := range allRules() {
		if s.chosen.MatchString(r.id) {
			chosen = append(chosen, r)
		}
	}
	if s.list {
		writeList(stdout, chosen)
		return 0
	}
	if err := checkServer(ctx, s.url); err != nil {
		fmt.Fprintf(stderr, "No server answers at %s: %v\n", s.url, err)
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

// checkServer returns an error if nothing answers at the address.
func checkServer(ctx context.Context, url string) error {
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

// tryAll tries the rules, several at once, and returns their results in the order of
// the rules.
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
