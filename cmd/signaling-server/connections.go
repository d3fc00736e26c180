package main

import (
	"net/http"
	"time"

	"signaling-server/httpapi"
	"signaling-server/httpapi/conns"
	"signaling-server/internal/budget"
)

// idleTimeout is how long a connection may wait for its next request.
const idleTimeout = 2 * time.Minute

// connections are how many connections there may be.
type connections struct{ inAll, reserve int }

// connectionsOf returns what so many file descriptors allow, 0 being no limit: a
// few are for files, for connections to key servers and the like, and a few more
// are the reserve for operators and probes.
func connectionsOf(descriptors int) connections {
	if descriptors <= 0 {
		return connections{}
	}
	files, reserve := min(64, descriptors/4), min(64, max(1, descriptors/10))
	return connections{max(1, descriptors-files-reserve), reserve}
}

// newGuard returns what bounds the server's connections.
func newGuard(c config, p parts, b *budget.Budget, metrics *httpapi.Metrics) *conns.Guard {
	bounds := connectionsOf(maxDescriptors())
	guard := conns.New(conns.Options{
		PerAddress:    c.ConnectionsPerAddress,
		InAll:         bounds.inAll,
		Reserve:       max(bounds.reserve, 1),
		Exempt:        p.proxies,
		HeaderTimeout: c.HeaderTimeout,
		IdleTimeout:   idleTimeout,
		Budget:        b,
		Cost:          c.connectionBytes(),
		OnClosed:      metrics.ConnectionClosed,
	})
	metrics.WatchConnections(guard)
	return guard
}

// connectionBytes is what a connection is taken to hold.
func (c config) connectionBytes() int {
	if c.usesTLS() {
		return conns.TLSCost
	}
	return conns.Cost
}

// http2Config bounds what an HTTP/2 connection may take. A proxy puts all its
// clients on a few connections; one client needs a few streams.
func http2Config(c config) *http.HTTP2Config {
	h := &http.HTTP2Config{
		MaxConcurrentStreams:          250,
		MaxReceiveBufferPerConnection: 256 << 10,
		MaxReceiveBufferPerStream:     64 << 10,
		WriteByteTimeout:              10 * time.Second,
	}
	if c.H2C || len(c.TrustedProxies) > 0 {
		h.MaxConcurrentStreams = 1000
		h.MaxReceiveBufferPerConnection = 1 << 20
	}
	return h
}
