package main

import (
	"context"
	"crypto/tls"
	"log"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"signaling-server/httpapi"
	"signaling-server/httpapi/conns"
)

// newHTTPServer returns an http.Server that bounds what a client may take. Its
// timeouts suit short requests: streams and polls set deadlines of their own.
func newHTTPServer(c config, api http.Handler, ours *tls.Config, guard *conns.Guard, logger *slog.Logger) *http.Server {
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
		ReadTimeout:       c.BodyTimeout, // of header and body, and of the rest of a body that net/http discards
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       c.IdleTimeout,
		MaxHeaderBytes:    c.maxHeaderOfHTTP(),
		ConnState:         guard.ConnState,
		ConnContext:       guard.ConnContext,
		ErrorLog:          log.New(netLog{logger}, "", 0),
	}
}

// netLog logs what net/http reports.
type netLog struct{ logger *slog.Logger }

// Write implements [io.Writer]. A connection that ends before TLS is not worth a warning:
// a proxy that forwards TCP opens one for each of its health checks.
func (l netLog) Write(line []byte) (int, error) {
	message, level := strings.TrimSpace(string(line)), slog.LevelWarn
	if strings.HasPrefix(message, "http: TLS handshake error") && (strings.HasSuffix(message, ": EOF") || strings.HasSuffix(message, ": connection reset by peer")) {
		level = slog.LevelDebug
	}
	l.logger.Log(context.Background(), level, message)
	return len(line), nil
}

// serveOn serves until the server is shut down. It speaks TLS if the server has TLS. Otherwise
// the guard answers posted events itself.
func serveOn(listener net.Listener, guard *conns.Guard, server *http.Server) error {
	if server.TLSConfig != nil {
		return server.Serve(guard.ListenTLS(listener, server.TLSConfig))
	}
	return server.Serve(guard.ListenFor(listener, server, httpapi.PostTargets()...))
}

// isShared reports whether a proxy may send the requests of several clients over one
// connection of HTTP/2.
func (c config) isShared() bool { return c.H2C || len(c.TrustedProxies) > 0 }

// maxHeaderOfHTTP returns how many bytes of a header net/http reads. The API refuses a
// header above MAX_HEADER, and net/http one that is longer than it reads. Over HTTP/2 that
// ends the connection. So if clients share it, net/http reads as much as most proxies pass
// on: nginx passes 32 KiB by default, and Envoy 60 KiB. HAProxy passes 16 KiB.
func (c config) maxHeaderOfHTTP() int {
	const alone, shared = 4 << 10, 64 << 10 // bytes beyond MAX_HEADER
	if c.isShared() {
		return c.MaxHeader + shared
	}
	return c.MaxHeader + alone
}

// http2Config bounds what an HTTP/2 connection may take. One client needs a few
// streams, but a proxy serves all its clients over a few connections.
func http2Config(c config) *http.HTTP2Config {
	h := &http.HTTP2Config{
		MaxConcurrentStreams:          250,
		MaxReceiveBufferPerConnection: 256 << 10,
		MaxReceiveBufferPerStream:     64 << 10,
		WriteByteTimeout:              10 * time.Second,
	}
	if c.isShared() {
		h.MaxConcurrentStreams = 1000
		h.MaxReceiveBufferPerConnection = 1 << 20
	}
	return h
}
