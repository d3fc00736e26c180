package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"time"

	"signaling-server/cluster/jetstream"
	"signaling-server/httpapi/conns"
	"signaling-server/internal/telemetry"
	"signaling-server/internal/version"
	"signaling-server/server"
)

// process is what run gets from the operating system.
type process struct {
	args        []string
	environment []string
	stdout      io.Writer
	stderr      io.Writer
	signals     <-chan os.Signal // the first stops the server gracefully, the second at once
}

// run executes the command line and returns the exit code.
func run(p process) int {
	if len(p.args) > 0 && p.args[0] == "doctor" {
		return examine(p)
	}
	err := dispatch(p)
	if err != nil {
		fmt.Fprintf(p.stderr, "signaling-server: %v.\n", err)
		return 1
	}
	return 0
}

func dispatch(p process) error {
	command := ""
	if len(p.args) > 0 {
		command = p.args[0]
	}
	switch command {
	case "-h", "--help", "help":
		printUsage(p.stdout)
		return nil
	case "-version", "--version", "version":
		fmt.Fprintln(p.stdout, version.Text("signaling-server"))
		return nil
	case "operator-token":
		return issueOperatorToken(p.args[1:], p.stdout)
	}
	c, err := loadConfig(p.environment)
	if err != nil {
		return err
	}
	switch {
	case len(p.args) == 0:
		logger := newLogger(p.stderr, c)
		defer reportLeftOut(logger)
		return serve(c, logger, p.signals)
	case command == "healthcheck":
		return healthcheck(c, p.args[1:])
	case command == "token":
		return issueAccessToken(c, p.args[1:], p.stdout)
	default:
		return fmt.Errorf("%q is not a command: -h lists the commands", command)
	}
}

// serve runs the server until a signal stops it.
func serve(c config, logger *slog.Logger, signals <-chan os.Signal) error {
	exported, err := c.newTelemetry(logger)
	if err != nil {
		return err
	}
	logger = exporting(logger, exported)
	var stopBy time.Time // zero: no signal has come
	defer func() { flush(exported, cmp.Or(stopBy, time.Now().Add(c.ShutdownTimeout)), signals) }()
	memory, err := newMemory(c)
	if err != nil {
		return err
	}
	ours, expires, err := newTLS(c, logger)
	if err != nil {
		return err
	}
	options, err := newOptions(c, logger)
	if err != nil {
		return err
	}
	if options.Access != nil {
		defer options.Access.Close()
	}
	var engine *jetstream.Engine
	if options.Cluster, engine, err = c.newCluster(logger); err != nil {
		return err
	}
	if engine != nil {
		defer engine.Close()
	}
	if options.Webhooks, err = c.newWebhooks(logger); err != nil {
		return err
	}
	if options.Webhooks != nil && options.Webhooks.Journal != nil {
		defer options.Webhooks.Journal.Close()
	}
	state := stateFile(c.StateFile)
	release, err := state.claim()
	if err != nil {
		return err
	}
	defer release()
	listener, err := listen(&c)
	if err != nil {
		return err
	}
	options.Port, options.ClientMemory, options.HandsOver = c.Port, memory.forClients, state != ""
	options.Tracer, options.Collectors = exported.Tracer(), exported.Collectors()
	signaling, err := newServer(options, state, time.Now(), c.ResumeWindow, logger) // connections wait in the listener
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	guard := signaling.Guard(guardOptions(c))
	if expires != nil {
		signaling.WatchCertificate(expires)
	}

	var running sync.WaitGroup
	defer running.Wait()
	walking, stopWalking := context.WithCancel(context.Background())
	defer stopWalking()
	failed := make(chan error, 2)
	running.Go(func() {
		if err := signaling.Run(walking); err != nil {
			failed <- err
		}
	})
	running.Go(func() { memory.giveBack(walking, signaling) })

	web := newHTTPServer(c, signaling.Handler(), ours, guard, logger)
	running.Go(func() { failed <- serveOn(listener, guard, web) })

	announce(c, logger)
	memory.announce(c, logger)
	select {
	case err := <-failed:
		return errors.Join(err, web.Close())
	case signal := <-signals:
		if state != "" { // an EventSource that is refused gives up, so let it wait for the next process
			_ = listener.Close() // an error means that it is closed already
		}
		logger.Info("stopping", "signal", signal.String(), "timeout", c.ShutdownTimeout.String())
		stopBy = time.Now().Add(c.ShutdownTimeout)
		if !stop(c, web, guard, signaling, signals, logger) {
			stopBy = time.Now()
		}
		stopWalking()
		running.Wait()
		return state.handOver(signaling, logger)
	}
}

// stop lets every client receive the events that were accepted for it, and then stops
// the server, all within the timeout. A second signal stops it at once. While streams
// still write, the server goes on to answer all other requests. It reports whether there is
// time left.
func stop(c config, web *http.Server, guard *conns.Guard, signaling *server.Server, signals <-chan os.Signal, logger *slog.Logger) (inTime bool) {
	var listening sync.WaitGroup
	defer listening.Wait()
	grace, cancel := context.WithTimeout(context.Background(), c.ShutdownTimeout)
	defer cancel()
	listening.Go(func() {
		select {
		case <-signals:
			logger.Warn("second signal: stopping at once")
			cancel()
		case <-grace.Done():
		}
	})

	// A tenth of the time is left for Shutdown.
	draining, cancelDraining := context.WithTimeout(grace, c.ShutdownTimeout*9/10)
	defer cancelDraining()
	if err := signaling.Drain(draining); err != nil {
		logger.Warn("some streams did not end in time and were cut off")
	}
	answering, cancelAnswering := context.WithTimeout(grace, c.answersWithin())
	defer cancelAnswering()
	if err := errors.Join(web.Shutdown(answering), guard.Shutdown(answering)); err != nil {
		web.Close()
	}
	return grace.Err() == nil
}

// flush exports what waits, until the deadline or a signal. It comes last, after all lines of the log
// and after a state was handed over. What cannot be exported is counted and logged.
func flush(exported *telemetry.Telemetry, deadline time.Time, signals <-chan os.Signal) {
	var listening sync.WaitGroup
	defer listening.Wait()
	grace, cancel := context.WithDeadline(context.Background(), deadline)
	defer cancel()
	listening.Go(func() {
		select {
		case <-signals:
			cancel()
		case <-grace.Done():
		}
	})
	_ = exported.Shutdown(grace)
}
