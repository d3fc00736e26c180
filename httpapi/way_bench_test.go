package httpapi_test

import (
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"signaling-server/httpapi"
	"signaling-server/httpapi/httpapitest"
	"signaling-server/limits"
	"signaling-server/rooms"
	signaling "signaling-server/server"
)

// BenchmarkWayOfAnEvent measures what the handler of POST /events costs for an offer, from
// the request that net/http has read to the answer that it writes. The answer and the
// receiver's stream cost nothing here.
func BenchmarkWayOfAnEvent(b *testing.B) {
	for _, header := range []string{"", "Idempotency-Key", "Origin"} {
		b.Run(fmt.Sprint("header=", header), func(b *testing.B) { wayOfEvents(b, header, 1, nil) })
	}
}

// BenchmarkWayOfATracedEvent measures the same if spans are made, of no trace or of all. They are
// not exported. BenchmarkWayOfAnEvent makes none.
func BenchmarkWayOfATracedEvent(b *testing.B) {
	for name, sampler := range map[string]sdktrace.Sampler{"none": sdktrace.NeverSample(), "all": sdktrace.AlwaysSample()} {
		tracer := sdktrace.NewTracerProvider(sdktrace.WithSampler(sampler)).Tracer("bench")
		b.Run("traces="+name, func(b *testing.B) { wayOfEvents(b, "", 1, tracer) })
	}
}

// BenchmarkWayOfABatch measures the handler of POST /events/batch for 20 offers. Its figures
// are those of one batch.
func BenchmarkWayOfABatch(b *testing.B) { wayOfEvents(b, "", 20, nil) }

func wayOfEvents(b *testing.B, header string, events int, tracer trace.Tracer) {
	rates := limits.Rates{Posts: 1e9, Events: 1e9}
	s := httpapitest.Run(b, signaling.Parts{
		Rooms: rooms.Options{Members: 2},
		API: httpapi.Options{
			CORSOrigins: []string{"*"},
			Tracer:      tracer,
			Limits:      limits.New(limits.Options{PerAddress: rates, PerSocket: rates, RequestsPerAddress: 512, BytesPerAddress: 4 << 20}),
		},
	})
	caller, _, _ := openDirect(b, s.Handler())
	callee, calleeID, received := openDirect(b, s.Handler())
	w := new(directAnswer)
	var sent int64
	keys := 0
	post := func(path, token, text string, count int) {
		r, err := http.NewRequestWithContext(b.Context(), http.MethodPost, path, nil)
		require.NoError(b, err)
		r.RemoteAddr = "192.0.2.1:4711"
		r.Header = http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer " + token}}
		reader := strings.NewReader(text)
		r.Body, r.ContentLength = io.NopCloser(reader), int64(len(text))
		if header == "Origin" {
			r.Header.Set(header, "https://app.example.com")
		}
		for range count {
			if header == "Idempotency-Key" {
				keys++
				r.Header[header] = []string{strconv.Itoa(keys)}
			}
			w.header = make(http.Header)
			reader.Reset(text)
			s.Handler().ServeHTTP(w, r)
			if w.status != http.StatusAccepted && path == "/events" {
				b.Fatal(w.status)
			}
			for sent += int64(events); sent > received.Load()+64; {
				runtime.Gosched() // otherwise the callee's outbox would become full
			}
		}
	}
	for _, token := range []string{caller, callee} {
		post("/events", token, `{"type":"join-room","roomId":"a","userId":"u"}`, 1)
	}
	sent = received.Load()
	b.ReportAllocs()
	b.ResetTimer()
	if events == 1 {
		post("/events", caller, offerTo(calleeID), b.N)
	} else {
		post("/events/batch", caller, `{"events":[`+strings.Repeat(offerTo(calleeID)+",", events-1)+offerTo(calleeID)+"]}", b.N)
	}
}

// directAnswer is an answer that is not sent.
type directAnswer struct {
	header http.Header
	sent   http.Header // a copy, as net/http makes it
	status int
}

func (a *directAnswer) Header() http.Header                  { return a.header }
func (a *directAnswer) WriteHeader(status int)               { a.status, a.sent = status, a.header.Clone() }
func (a *directAnswer) Write(text []byte) (int, error)       { return len(text), nil }
func (a *directAnswer) WriteString(text string) (int, error) { return len(text), nil }

// directStream is a stream without a connection. It keeps what is written until the first
// event is complete.
type directStream struct {
	directAnswer
	flushes atomic.Int64

	mu   sync.Mutex // guards text
	text strings.Builder
}

func (d *directStream) Write(text []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.text.Len() < 1024 {
		d.text.Write(text)
	}
	return len(text), nil
}

func (d *directStream) Flush()                           { d.flushes.Add(1) }
func (d *directStream) SetWriteDeadline(time.Time) error { return nil }
func (d *directStream) SetReadDeadline(time.Time) error  { return nil }

// openDirect opens a stream of a handler, and returns the token and the ID of its socket.
func openDirect(b *testing.B, h http.Handler) (token, socketID string, received *atomic.Int64) {
	stream := &directStream{directAnswer: directAnswer{header: make(http.Header)}}
	r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, "/events", nil)
	require.NoError(b, err)
	r.RemoteAddr = "192.0.2.1:4711"
	var serving sync.WaitGroup
	serving.Go(func() { h.ServeHTTP(stream, r) })
	b.Cleanup(serving.Wait)
	require.Eventually(b, func() bool {
		stream.mu.Lock()
		defer stream.mu.Unlock()
		_, after, found := strings.Cut(stream.text.String(), `"socketId":"`)
		if !found || len(after) < 22 {
			return false
		}
		socketID = after[:22]
		_, after, _ = strings.Cut(stream.text.String(), `"token":"`)
		if len(after) < 22 {
			return false
		}
		token = after[:22]
		return true
	}, patience, time.Millisecond)
	return token, socketID, &stream.flushes
}
