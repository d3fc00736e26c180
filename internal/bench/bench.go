package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// bench runs experiments, and keeps what they told.
type bench struct {
	settings
	progress             io.Writer
	generator, nats      string // programs
	certificate, key     string // files
	collector            string // the address of what takes spans, and does nothing with them
	serverCore, loadCore int
	measured             map[string][]outcome // by server and experiment, one for each round
	cluster              map[string][]float64 // by the name of the figure
}

func key(isFloor bool, e experiment) string { return fmt.Sprint(isFloor, e.name) }

// measureAll runs each experiment that a chosen figure needs, for both servers in turn.
func (b *bench) measureAll(ctx context.Context) error {
	for round := range b.runs {
		done := make(map[string]bool)
		for _, f := range b.chosen {
			if f.once && round > 0 {
				continue
			}
			for _, isFloor := range []bool{false, true} {
				e := f.ours
				if isFloor {
					e = f.floor
				}
				if done[key(isFloor, e)] {
					continue
				}
				done[key(isFloor, e)] = true
				o, err := b.measure(ctx, isFloor, e)
				if err != nil {
					return fmt.Errorf("%s: %w", e.name, err)
				}
				b.measured[key(isFloor, e)] = append(b.measured[key(isFloor, e)], o)
			}
			ours, floor := b.values(f)
			fmt.Fprintf(b.progress, "%s  round %d of %d  %s: %s, floor %s\n", time.Now().Format(time.TimeOnly), round+1, b.runs, f.name, short(ours[len(ours)-1]), short(floor[len(floor)-1]))
		}
	}
	return nil
}

// values are those of all rounds.
func (b *bench) values(f figure) (ours, floor []float64) {
	for _, o := range b.measured[key(false, f.ours)] {
		ours = append(ours, f.of(o))
	}
	for _, o := range b.measured[key(true, f.floor)] {
		floor = append(floor, f.of(o))
	}
	return ours, floor
}

// measure starts a server, puts one load on it, and stops it.
func (b *bench) measure(ctx context.Context, isFloor bool, e experiment) (o outcome, err error) {
	var flags []string
	for _, each := range e.flags {
		flags = append(flags, strings.NewReplacer(b.settings.values()...).Replace(each))
	}
	address, pid := b.floorURL, b.floorPID
	if !isFloor || b.floorURL == "" {
		s, err := b.start(ctx, isFloor, e)
		if err != nil {
			return o, err
		}
		defer s.stop()
		address, pid = s.url, s.command.Process.Pid
	}
	if isFloor {
		flags = append(flags, "-floor")
	}
	if e.overTLS && b.floorURL != "" {
		return o, errors.New("-floor-url has no TLS here: leave this figure out")
	}
	onItsCore := func(c *exec.Cmd) error { return startOn(b.loadCore, c) }
	if o, err = b.generate(ctx, onItsCore, append(flags, "-url="+address, "-pid="+strconv.Itoa(pid))); err != nil {
		return o, err
	}
	if !isFloor && o.Check.Lost+o.Check.Doubled+o.Check.Reordered > 0 {
		return o, fmt.Errorf("the server broke a promise: %+v", o.Check)
	}
	return o, nil
}

// generate runs the generator, which start starts.
func (b *bench) generate(ctx context.Context, start func(*exec.Cmd) error, flags []string) (o outcome, err error) {
	generator := exec.CommandContext(ctx, b.generator, append(flags, "-json")...)
	var output, problems strings.Builder
	generator.Stdout, generator.Stderr = &output, &problems
	if err := start(generator); err != nil {
		return o, err
	}
	var exit *exec.ExitError
	// 1 is the status of a server that loses events, which the floor does in a large room.
	if err := generator.Wait(); err != nil && !(errors.As(err, &exit) && exit.ExitCode() == 1) {
		return o, fmt.Errorf("%w: %s", err, problems.String())
	}
	return o, json.Unmarshal([]byte(output.String()), &o)
}

// server is a process that is measured.
type server struct {
	command *exec.Cmd
	url     string
}

// unlimited are settings of the server without the limits of one address, which all
// clients here share.
var unlimited = []string{
	"LOG_LEVEL=error", "SHUTDOWN_TIMEOUT=0s", "HOST=127.0.0.1",
	"OPENS_PER_ADDRESS=0", "OPENS_PER_SOCKET=0", "POSTS_PER_ADDRESS=0", "POSTS_PER_SOCKET=0",
	"EVENTS_PER_ADDRESS=0", "EVENTS_PER_SOCKET=0", "RECEIVERS_PER_ADDRESS=0", "RECEIVERS_PER_SOCKET=0",
	"MAX_CONNECTIONS_PER_ADDRESS=0", "CONNECTIONS_PER_ADDRESS=0", "MAX_ROOMS_PER_ADDRESS=0",
	"REQUESTS_PER_ADDRESS=0", "REQUEST_BYTES_PER_ADDRESS=0", "MONITORING_PER_ADDRESS=0",
}

func (b *bench) start(ctx context.Context, isFloor bool, e experiment) (*server, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	address := net.JoinHostPort("127.0.0.1", port)
	s := &server{url: "http://" + address}
	heartbeat := e.heartbeat
	if heartbeat == "" {
		heartbeat = "10s"
	}
	if e.overTLS {
		s.url = "https://" + address
	}
	if isFloor {
		s.command = exec.CommandContext(ctx, b.floor, "-addr="+address)
		if b.settings.floor == "" || e.heartbeat != "" {
			s.command.Args = append(s.command.Args, "-heartbeat="+heartbeat)
		}
		if e.overTLS {
			s.command.Args = append(s.command.Args, "-cert="+b.certificate, "-key="+b.key)
		}
	} else {
		s.command = exec.CommandContext(ctx, b.server)
		s.command.Env = slices.Concat(os.Environ(), unlimited, []string{"PORT=" + port, "HEARTBEAT_INTERVAL=" + heartbeat})
		if e.overTLS {
			s.command.Env = append(s.command.Env, "TLS_CERT="+b.certificate, "TLS_KEY="+b.key)
		}
		if e.exports {
			s.command.Env = append(s.command.Env, "OTEL_EXPORTER_OTLP_ENDPOINT="+b.collector)
		}
	}
	s.command.Stderr = b.progress
	if err := startOn(b.serverCore, s.command); err != nil {
		return nil, err
	}
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if answers(address, e.overTLS) {
			return s, nil
		}
	}
	s.stop()
	return nil, fmt.Errorf("%s does not answer", s.command)
}

// answers reports whether a server listens, and speaks TLS if it should.
func answers(address string, overTLS bool) bool {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return false
	}
	defer conn.Close()
	return !overTLS || tls.Client(conn, &tls.Config{InsecureSkipVerify: true}).Handshake() == nil // nothing is sent
}

func (s *server) stop() {
	_ = s.command.Process.Signal(syscall.SIGTERM)
	_ = s.command.Wait() // it was killed
}

func freePort() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	return port, err
}
