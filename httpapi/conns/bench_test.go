package conns_test

import (
	"net"
	"net/http"
	"testing"

	"signaling-server/httpapi/conns"
)

type oneConnection struct {
	net.Listener
	connection net.Conn
}

func (l oneConnection) Accept() (net.Conn, error) { return l.connection, nil }

// BenchmarkARequestsStates measures what a request costs the guard: its connection
// becomes active, and then idle again.
func BenchmarkARequestsStates(b *testing.B) {
	client, serverSide := net.Pipe()
	defer client.Close()
	defer serverSide.Close()
	guard := conns.New(conns.Options{PerAddress: 4000, InAll: 20_000})
	c, err := guard.Listen(oneConnection{connection: serverSide}).Accept()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		guard.ConnState(c, http.StateActive)
		guard.ConnState(c, http.StateIdle)
	}
}
