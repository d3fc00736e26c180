package httpapi_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/limits"
	"signaling-server/sse"
)

// usual are the default limits of an address in cmd/signaling-server.
var usual = limits.Options{
	PerAddress: limits.Rates{Opens: 50, Posts: 1000, Events: 4000},
}

// BenchmarkLatencyUnderAFlood measures how long an offer takes from its POST to its
// receiver's stream, at up to 500 offers a second. It measures on an idle server, and while
// another address sends ten times as much as it may. The flood costs as little as possible,
// but it runs on the same processors as the server.
func BenchmarkLatencyUnderAFlood(b *testing.B) {
	for _, flooded := range []bool{false, true} {
		b.Run(fmt.Sprint("flooded=", flooded), func(b *testing.B) {
			address := newServer(b, sse.Options{}, 100, limitedTo(usual), behindALoopbackProxy).Listener.Addr().String()
			post, next := newCall(b, address, "room")
			end := func() (asked, refused int64) { return 0, 0 }
			if flooded {
				end = startFlood(b, address)
			}
			took := make([]time.Duration, b.N)
			pace := time.NewTicker(2 * time.Millisecond)
			defer pace.Stop()
			b.ResetTimer()
			for n := range took {
				<-pace.C
				began := time.Now()
				post()
				next()
				took[n] = time.Since(began)
			}
			b.StopTimer()
			asked, refused := end()
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "µs/p50")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "µs/p99")
			b.ReportMetric(float64(asked)/b.Elapsed().Seconds(), "asked/s")
			b.ReportMetric(float64(refused)/b.Elapsed().Seconds(), "refused/s")
		})
	}
}

// startFlood makes another address send ten times as much as it may. The function that it
// returns ends the flood, and returns how many requests were sent and refused.
func startFlood(b *testing.B, address string) (end func() (asked, refused int64)) {
	token, _ := openRaw(b, address).token(b)
	const from = "Host: localhost\r\nX-Forwarded-For: 203.0.113.9\r\n"
	ping := []byte("POST /events HTTP/1.1\r\n" + from + "Authorization: Bearer " + token + "\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n" + `{"type":"ping"}`)
	open := []byte("GET /events/poll?wait=0 HTTP/1.1\r\n" + from + "\r\n")

	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	var asked, refused atomic.Int64
	flood := func(request []byte, perSecond int) {
		connection, err := net.Dial("tcp", address)
		require.NoError(b, err)
		running.Go(func() {
			answers := bufio.NewScanner(connection)
			for answers.Scan() {
				if bytes.HasPrefix(answers.Bytes(), []byte("HTTP/1.1 429")) {
					refused.Add(1)
				}
			}
		})
		running.Go(func() {
			defer connection.Close()
			const tick = time.Millisecond
			atOnce := bytes.Repeat(request, max(1, perSecond*int(tick)/int(time.Second)))
			pace := time.NewTicker(tick)
			defer pace.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-pace.C:
				}
				if _, err := connection.Write(atOnce); err != nil {
					return
				}
				asked.Add(int64(len(atOnce) / len(request)))
			}
		})
	}
	for range 4 {
		flood(ping, 10*usual.PerAddress.Posts/4)
	}
	flood(open, 10*usual.PerAddress.Opens)
	for refused.Load() < 100 { // the burst that the limits allow comes first
		time.Sleep(10 * time.Millisecond)
	}
	asked.Store(0)
	refused.Store(0)
	return func() (int64, int64) {
		stop()
		running.Wait()
		return asked.Load(), refused.Load()
	}
}
