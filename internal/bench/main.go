// Command bench measures this server beside a bare one, the floor, and prints how they
// compare. It needs Linux and two cores: the servers run on one, the generator
// (cmd/signaling-load) on the other.
//
//	go run ./internal/bench                       all figures: about 20 minutes
//	go run ./internal/bench -figures event,batch  two of them
//	go run ./internal/bench -figures cluster      several nodes: about ten minutes
//
// Each run is a fresh process, and runs of both servers alternate: so other work on the
// machine disturbs both. A ratio is that of two runs after each other.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// settings are the flags of the command line.
type settings struct {
	runs     int
	chosen   []figure
	cluster  bool
	nats     string
	server   string
	floor    string
	floorURL string
	floorPID int
	clients  int
	long     bool
}

func parse(args []string, stderr io.Writer) (s settings, err error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&s.runs, "runs", 5, "`number` of runs of each server")
	names := flags.String("figures", "", "comma-separated `names` of the figures to measure: "+strings.Join(namesOf(figures), ", ")+"; default all of these. And "+clusterName+": several nodes, in about ten minutes")
	flags.StringVar(&s.server, "server", "", "`program` to measure instead of cmd/signaling-server of this tree, such as an older build")
	flags.StringVar(&s.nats, "nats-server", "", "`program` that keeps the log of several nodes, instead of the version that e2e/go.mod pins")
	flags.StringVar(&s.floor, "floor", "", "`program` to compare with instead of internal/bench/floor; it speaks the floor's protocol and takes -addr")
	flags.StringVar(&s.floorURL, "floor-url", "", "`address` of a server that runs already and speaks the floor's protocol; needs -floor-pid")
	flags.IntVar(&s.floorPID, "floor-pid", 0, "`ID` of the process at -floor-url")
	flags.IntVar(&s.clients, "clients", 10_000, "`number` of idle clients: up to 19,000 if the process may have 20,000 file descriptors")
	flags.BoolVar(&s.long, "long", false, "measure the memory for a minute, and a minute later, many clients for five minutes, and idle clients after 90 s, instead of 20 s and 30 s")
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	s.chosen = figures
	if *names != "" {
		s.chosen = nil
		for name := range strings.SplitSeq(*names, ",") {
			if name == clusterName {
				s.cluster = true
				continue
			}
			i := slices.IndexFunc(figures, func(f figure) bool { return f.name == name })
			if i < 0 {
				return s, fmt.Errorf("-figures: there is no figure %q: choose from %s", name, strings.Join(append(namesOf(figures), clusterName), ", "))
			}
			s.chosen = append(s.chosen, figures[i])
		}
	}
	if flags.NArg() > 0 || s.runs < 1 || s.clients < 2 || (s.floorURL != "") != (s.floorPID != 0) {
		return s, errors.New("-runs must be 1 or more and -clients 2 or more; -floor-url needs -floor-pid; there are no arguments beside the flags")
	}
	return s, nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	s, err := parse(args, stderr)
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	b := bench{settings: s, progress: stderr, measured: make(map[string][]outcome), cluster: make(map[string][]float64)}
	if b.serverCore, b.loadCore, err = twoCores(); err != nil {
		return err
	}
	for _, build := range []struct {
		to     *string
		of, in string
		has    string
	}{
		{&b.generator, "./cmd/signaling-load", ".", ""},
		{&b.server, "./cmd/signaling-server", ".", s.server},
		{&b.floor, "./internal/bench/floor", ".", s.floor},
		{&b.nats, "github.com/nats-io/nats-server/v2", "e2e", s.nats},
	} {
		if *build.to = build.has; build.has != "" || build.to == &b.nats && !s.cluster {
			continue
		}
		*build.to = filepath.Join(folder, fmt.Sprint("program-", path.Base(build.of)))
		if output, err := exec.CommandContext(ctx, "go", "build", "-C", build.in, "-o", *build.to, build.of).CombinedOutput(); err != nil {
			return fmt.Errorf("building %s: %w\n%s", build.of, err, output)
		}
	}
	if b.certificate, b.key, err = newCertificate(folder); err != nil {
		return err
	}
	if err := os.Setenv("SSL_CERT_FILE", b.certificate); err != nil { // the generator trusts it, and so does this process
		return err
	}
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	defer collector.Close()
	b.collector = collector.URL
	if len(b.chosen) > 0 {
		if err := b.measureAll(ctx); err != nil {
			return err
		}
		b.write(stdout)
	}
	if s.cluster {
		if err := b.measureCluster(ctx); err != nil {
			return err
		}
		b.writeCluster(stdout)
	}
	return nil
}
