package httpapitest

import (
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/httpapi/conns"
)

// Link says who has the connections of the streams of a server: see package sse.
type Link string

// The links. The streams of a test are parked, unless the test does without a guard.
const (
	Parked Link = "parked"
	Held   Link = "held"
)

// links holds the links of tests whose streams are not parked, by their names.
var links sync.Map

// WithoutGuard makes the servers of a test, and of its subtests, do without a guard: net/http
// has all connections, and handlers hold those of their streams. It must come before the
// server of the test.
func WithoutGuard(t testing.TB) {
	links.Store(t.Name(), Held)
	t.Cleanup(func() { links.Delete(t.Name()) })
}

// linkOf returns the link of a test.
func linkOf(t testing.TB) Link {
	for name := t.Name(); ; {
		if link, found := links.Load(name); found {
			return link.(Link)
		}
		end := strings.LastIndexByte(name, '/')
		if end < 0 {
			return Parked
		}
		name = name[:end]
	}
}

// awaitParking waits until a guard runs. Before that, it parks nothing.
func awaitParking(t testing.TB, guard *conns.Guard) {
	if runtime.GOOS != "linux" {
		return // no connection is parked there
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	listener = guard.Listen(listener)
	defer listener.Close()
	client, err := net.Dial("tcp", listener.Addr().String())
	require.NoError(t, err)
	defer client.Close()
	connection, err := listener.Accept()
	require.NoError(t, err)
	defer connection.Close()
	_, err = client.Write([]byte("G"))
	require.NoError(t, err)
	_, err = connection.Read(make([]byte, 1)) // so the guard knows that it is HTTP/1
	require.NoError(t, err)
	request := (&http.Request{ProtoMajor: 1}).WithContext(guard.ConnContext(t.Context(), connection))
	require.Eventually(t, func() bool { return guard.CanPark(hijackable{}, request) }, time.Minute, 100*time.Microsecond)
}

// hijackable is an answer that could be hijacked.
type hijackable struct {
	http.ResponseWriter
	http.Hijacker
}
