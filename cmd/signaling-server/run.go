package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	signalingserver "signaling-server"
	browserclient "signaling-server/browser"
	"signaling-server/httpapi"
	"signaling-server/httpapi/conns"
	"signaling-server/rooms"
	"signaling-server/sse"
	"signaling-server/static"
)

// process is the world as run sees it.
type process struct {
	args        []string
	environment []string
	stdout      io.Writer
	stderr      io.Writer
	signals     <-chan os.Signal // the first ends the server, the second at once
}

// run does what the command line says and returns the exit code.
func run(p process) int {
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
	if command == "-h" || command == "--help" || command == "help" {
		printUsage(p.stdout)
		return nil
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
		return healthcheck(c)
	default:
		return fmt.Errorf("%q is no command; -h lists them", command)
	}
}

// serve runs the server until it is told to stop.
func serve(c config, logger *slog.Logger, signals <-chan os.Signal) error {
	parts, err := newParts(c, logger)
	if err != nil {
		return err
	}
	defer parts.close()
	memory, err := newMemory(c)
	if err != nil {
		return err
	}
	listener, err := listen(c)
	if err != nil {
		return listenError(c, err)
	}
	c.Port = listener.Addr().(*net.TCPAddr).Port

	var members *rooms.Rooms
	var api *httpapi.API
	metrics := httpapi.NewMetrics()
	limits := c.limits()
	guard := newGuard(c, parts, memory.budget, metrics)
	hub := sse.NewHub(sse.Options{
		HeartbeatInterval: c.HeartbeatInterval,
		ResumeWindow:      c.ResumeWindow,
		AwayAfter:         c.AwayAfter,
		MaxSockets:        c.MaxConnections,
		Outbox:            c.outbox(),

		MaxSocketsPerNetwork: c.MaxPerAddress,
		UnsentPerNetwork:     memory.ofOneAddress(c),
		Budget:               memory.budget,
		MayOpen:              limits.Open,
		MayRead:              limits.Resume,

		ICEServers: httpapi.ICEServers(parts.iceServers),
		OnEnd: func(socketID string, reason sse.Reason) {
			members.Remove(socketID, string(reason))
			api.Forget(socketID)
			metrics.SocketEnded(reason)
		},
		OnPresence: func(socketID string) { members.Observe(socketID) },
		OnRead:     metrics.ReaderBegan,
		OnDelivery: metrics.EventDelivered,
		Logger:     logger,
	})
	members = rooms.New(httpapi.Courier{Hub: hub}, rooms.Limits{
		Members:         c.MaxRoomMembers,
		RosterBytes:     c.RoomBytes,
		Rooms:           c.MaxRooms,
		RoomsPerNetwork: c.MaxRoomsPerAddr,
		MayTell:         limits.Tell,
		Account:         memory.budget,
	}, logger)
	api, err = httpapi.New(httpapi.Options{
		Hub:            hub,
		Rooms:          members,
		Logger:         logger,
		Metrics:        metrics,
		Access:         parts.access,
		AdminToken:     c.AdminToken,
		Limits:         limits,
		Budget:         memory.budget,
		TrustedProxies: parts.proxies,
		MaxBody:        c.MaxBody,
		MaxBatch:       c.MaxBatch,
		ICEServers:     parts.iceServers,
		CORSOrigins:    c.CORSOrigins,
		Environment:    c.Environment,
		Port:           c.Port,
		Version:        signalingserver.Version,
		OpenAPI:        signalingserver.OpenAPI,
		Pages:          static.Files,
		Client:         browserclient.Files,
	})
	if err != nil {
		return errors.Join(err, listener.Close())
	}

	var running sync.WaitGroup
	defer running.Wait()
	walking, stopWalking := context.WithCancel(context.Background())
	defer stopWalking()
	running.Go(func() { hub.Run(walking) })
	running.Go(func() { memory.giveBack(walking) })
	running.Go(func() { guard.Run(walking) })
	if c.AccessEnforceExpiry {
		running.Go(func() { members.Run(walking) })
	}

	server := newServer(c, api, parts.tls, guard, logger)
	failed := make(chan error, 1)
	running.Go(func() { failed <- serveOn(guard.Listen(listener), server) })

	announce(c, logger)
	memory.announce(c, logger)
	select {
	case err := <-failed:
		return err
	case signal := <-signals:
		logger.Info("stopping", "signal", signal.String(), "timeout", c.ShutdownTimeout.String())
		return stop(server, hub, c.ShutdownTimeout, signals, logger)
	}
}

// newServer bounds what a client may take: streams set deadlines of their own
// for each write, all other answers are short.
func newServer(c config, api http.Handler, ours *tls.Config, guard *conns.Guard, logger *slog.Logger) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(ours != nil)
	protocols.SetUnencryptedHTTP2(c.H2C)
	return &http.Server{
		Handler:           api,
		TLSConfig:         ours,
		Protocols:         protocols,
		HTTP2:             http2Config(c),
		ReadHeaderTimeout: c.HeaderTimeout,
		ReadTimeout:       c.BodyTimeout, // header and body, and what net/http discards of a body
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    16 << 10,
		ConnState:         guard.ConnState,
		ConnContext:       guard.ConnContext,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
}

// serveOn serves until the server is shut down.
func serveOn(listener net.Listener, server *http.Server) error {
	if server.TLSConfig != nil {
		return server.ServeTLS(listener, "", "") // the configuration has the certificates
	}
	return server.Serve(listener)
}

// announce tells whoever started the server where to look.
func announce(c config, logger *slog.Logger) {
	host := c.Host
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = ""
	}
	scheme := "http://"
	if c.usesTLS() {
		scheme = "https://"
	}
	if len(c.ACMEDomains) > 0 {
		host = c.ACMEDomains[0]
	}
	base := scheme + net.JoinHostPort(cmp.Or(host, "localhost"), strconv.Itoa(c.Port))
	logger.Info("signaling server is ready", "address", base, "version", signalingserver.Version, "environment", c.Environment)
	if c.Environment == httpapi.Production && c.AdminToken == "" {
		logger.Warn("monitoring is closed to everybody: set ADMIN_TOKEN to open it to who knows that")
	}
	logger.Info("landing page", "url", base+"/")
	logger.Info("demo", "url", base+"/demo/")
	logger.Info("reference", "url", base+"/docs/")
	logger.Info("doctor", "url", base+"/doctor/")
	logger.Info("dashboard", "url", base+"/dashboard/")
	logger.Info("health", "url", base+"/health")
	logger.Info("rooms", "url", base+"/rooms")
	logger.Info("stats", "url", base+"/stats")
}

// stop lets every client have what was accepted for it, then ends the server,
// all within the given time; a second signal ends it at once. While streams
// are still being written, everything else is answered.
func stop(server *http.Server, hub *sse.Hub, timeout time.Duration, signals <-chan os.Signal, logger *slog.Logger) error {
	var listening sync.WaitGroup
	defer listening.Wait()
	grace, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	listening.Go(func() {
		select {
		case <-signals:
			logger.Warn("second signal: ending at once")
			cancel()
		case <-grace.Done():
		}
	})

	// A little of the time is for what comes after the streams.
	draining, cancelDraining := context.WithTimeout(grace, timeout*9/10)
	defer cancelDraining()
	if err := hub.Drain(draining); err != nil {
		logger.Warn("some streams did not end in time and are cut off")
	}
	if err := server.Shutdown(grace); err != nil {
		server.Close()
	}
	logger.Info("stopped")
	return nil
}
