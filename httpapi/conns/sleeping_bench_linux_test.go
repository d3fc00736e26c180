package conns_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/httpapi/conns"
)

// BenchmarkSleeping measures what a connection takes of the processor, both ends together:
// a request over it while it is awake, its falling asleep, and the request that wakes it.
func BenchmarkSleeping(b *testing.B) {
	guard := conns.New(conns.Options{})
	web := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	web.Listener = guard.Listen(web.Listener)
	web.Config.ConnState, web.Config.ConnContext = guard.ConnState, guard.ConnContext
	web.Start()
	defer web.Close()
	ctx, stop := context.WithCancel(b.Context())
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	running.Go(func() { guard.Run(ctx) })
	require.Eventually(b, guard.CanWatch, patience, time.Millisecond)

	all := make([]net.Conn, 1000)
	for i := range all {
		var err error
		all[i], err = net.Dial("tcp", web.Listener.Addr().String())
		require.NoError(b, err)
		defer all[i].Close()
	}
	answer := make([]byte, 4<<10)
	askAll := func() {
		for _, c := range all {
			_, err := io.WriteString(c, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n[1,2]")
			require.NoError(b, err)
			_, err = c.Read(answer)
			require.NoError(b, err)
		}
	}
	sleepAll := func() {
		for guard.Asleep() < len(all) {
			guard.PutToSleep()
			time.Sleep(time.Millisecond)
		}
	}
	askAll()
	var awake, falling, waking time.Duration
	for b.Loop() {
		awake += processorTimeOf(askAll)
		falling += processorTimeOf(sleepAll)
		waking += processorTimeOf(askAll)
	}
	for unit, took := range map[string]time.Duration{"ns/request": awake, "ns/sleep": falling, "ns/waking-request": waking} {
		b.ReportMetric(float64(took)/float64(b.N*len(all)), unit)
	}
	b.ReportMetric(0, "ns/op")
}

func processorTimeOf(f func()) time.Duration {
	before := processorTime()
	f()
	return processorTime() - before
}

func processorTime() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		panic(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
