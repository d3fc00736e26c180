package httpapi_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/internal/budget"
	"signaling-server/limits"
	"signaling-server/machine"
	"signaling-server/sse"
)

// The scenarios in which the server refuses.

// ask sends a request without a body, requires a status, and returns the answer's header.
func (s *server) ask(t *testing.T, status int, method, path string, headers map[string]string) http.Header {
	t.Helper()
	got, header := s.try(t, method, path, headers)
	require.Equal(t, status, got, "%s %s", method, path)
	return header
}

// askUntilLimited repeats a request without a body until a rate refuses it, and returns the
// header of the refusal. On a busy machine, the bucket refills between two requests.
func (s *server) askUntilLimited(t *testing.T, method, path string, headers map[string]string) (header http.Header) {
	t.Helper()
	eventually(t, func() bool {
		var status int
		status, header = s.try(t, method, path, headers)
		return status == http.StatusTooManyRequests
	})
	return header
}

// try sends a request without a body.
func (s *server) try(t *testing.T, method, path string, headers map[string]string) (status int, header http.Header) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, nil)
	require.NoError(t, err)
	for name, value := range headers {
		r.Header.Set(name, value)
	}
	response, err := s.Client().Do(r)
	require.NoError(t, err)
	response.Body.Close()
	return response.StatusCode, response.Header
}

// eventually repeats a step until it reports true. Unlike require.Eventually, it does not
// wait between the steps, and a step may fail the test.
func eventually(t *testing.T, step func() bool) {
	t.Helper()
	for began := time.Now(); !step(); {
		require.Less(t, time.Since(began), patience)
	}
}

func wrongEventsAreRefused(t *testing.T, w *witness) {
	s := w.newServer(t, sse.Options{}, 1)
	p, other := s.join(t, "room", "Ada"), s.connect(t)
	nobody := sse.NewToken()

	p.refuse(http.StatusBadRequest, "malformed-json", `{"type":`)
	p.refuse(http.StatusUnprocessableEntity, "validation-failed", `{"type":"ping","colour":1}`)
	p.refuse(http.StatusRequestEntityTooLarge, "payload-too-large", `{"type":"signal","data":"`+strings.Repeat("x", 64<<10)+`"}`)
	p.refuse(http.StatusNotFound, "target-not-found", `{"type":"signal","target":"`+nobody.SocketID()+`","data":1}`)
	other.refuse(http.StatusConflict, "room-full", `{"type":"join-room","roomId":"room","userId":"Bob"}`)
	other.refuse(http.StatusConflict, "not-in-room", `{"type":"typing-start"}`)

	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/events", strings.NewReader(ping))
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+p.token)
	r.Header.Set("Content-Type", "text/html")
	status, _ := s.do(t, r)
	require.Equal(t, http.StatusUnsupportedMediaType, status)

	for _, authorization := range []map[string]string{nil, {"Authorization": "Bearer " + nobody.Secret()}} {
		header := s.ask(t, http.StatusUnauthorized, http.MethodPost, "/events", authorization)
		require.Equal(t, "Bearer", header.Get("WWW-Authenticate"))
	}
	p.quiet()
}

// An old client may send a body with a request that takes none. It gets its answer all the
// same.
func bodiesAreNotRead(t *testing.T, w *witness) {
	s := w.newServer(t, sse.Options{}, 100)
	for _, path := range []string{"/events/poll", "/silence?seconds=1"} {
		response := w.halfSent(t, s, http.MethodGet, path)
		require.Equal(t, http.StatusOK, response.StatusCode)
		require.True(t, response.Close)
		_, err := io.Copy(io.Discard, response.Body)
		require.NoError(t, err)
		response.Body.Close()
	}
}

func memoryIsUsedUp(t *testing.T, w *witness) {
	used := budget.New(1)
	s := w.newServer(t, sse.Options{}, 100, func(u *setup) { u.API.Budget = used })
	p := s.connect(t)
	p.send(`{"type":"ping"}`) // a small body gets memory even if the budget is used up
	p.next("pong")
	large := fmt.Sprintf(`{"type":"send-message","message":%q}`, strings.Repeat("x", 3000))
	p.refuse(http.StatusServiceUnavailable, "at-capacity", large)
	status, problem := p.batch(`{"events":[` + large + `]}`)
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Equal(t, "/problems/at-capacity", problem["type"])
	require.Zero(t, used.Used())
}

// The two ways to open a stream, the three ways to read, and the header of a client that
// is not an EventSource.
var (
	streamMethods  = map[string]string{"/events": http.MethodGet, "/events/stream": http.MethodPost}
	readingMethods = map[string]string{"/events": http.MethodGet, "/events/stream": http.MethodPost, "/events/poll": http.MethodGet}
	anything       = map[string]string{"Accept": "*/*"}
)

func atCapacity(t *testing.T, w *witness) {
	s := w.newServer(t, sse.Options{MaxSockets: 1}, 100)
	s.connect(t)
	for path, method := range readingMethods {
		require.NotEmpty(t, s.ask(t, http.StatusServiceUnavailable, method, path, anything).Get("Retry-After"))
	}
	for path, method := range streamMethods {
		refused := s.stream(t, method, path, nil)
		bye := refused.next("disconnected")
		require.Equal(t, "at capacity", bye.json["reason"])
		require.NotEmpty(t, bye.retry)
		refused.ended()
	}
}

func ratesAreLimited(t *testing.T, w *witness) {
	once := limits.Rates{Opens: 1, Posts: 1, Events: 1}
	s := w.newServer(t, sse.Options{}, 100, limitedTo(limits.Options{PerAddress: once, PerSocket: once}))
	p := s.connect(t)
	for range 4 { // the rest of the burst
		s.connect(t)
	}
	paths := maps.Clone(readingMethods)
	paths["/silence?seconds=1"] = http.MethodGet
	for path, method := range paths {
		require.NotEmpty(t, s.askUntilLimited(t, method, path, anything).Get("Retry-After"))
	}
	for path, method := range streamMethods {
		eventually(t, func() bool {
			refused := s.stream(t, method, path, nil)
			bye := refused.take("disconnected")
			if bye.kind == "connected" {
				refused.hangUp()
				return false
			}
			require.Equal(t, "rate limited", bye.json["reason"])
			require.NotEmpty(t, bye.retry)
			refused.ended()
			return true
		})
	}
	for range 5 {
		p.send(ping)
	}
	eventually(t, func() bool {
		status, problem := s.post(t, p.token, ping)
		return status == http.StatusTooManyRequests && problem["type"] == "/problems/rate-limited"
	})
	eventually(t, func() bool {
		status, _ := p.batch(`{"events":[` + ping + `]}`)
		return status == http.StatusTooManyRequests
	})

	few := w.newServer(t, sse.Options{MaxSocketsPerNetwork: 1}, 100, func(u *setup) { u.Rooms.Rooms = 1 })
	few.join(t, "room", "Ada")
	for path, method := range readingMethods {
		few.ask(t, http.StatusServiceUnavailable, method, path, anything)
	}
	crowded := w.newServer(t, sse.Options{}, 100, func(u *setup) { u.Rooms.Rooms = 1 })
	crowded.join(t, "room", "Ada")
	crowded.connect(t).refuse(http.StatusServiceUnavailable, "at-capacity", `{"type":"join-room","roomId":"another","userId":"Bob"}`)
}

func limitedTo(o limits.Options) func(*setup) {
	return func(u *setup) { u.API.Limits = limits.New(o) }
}

// requestsAtOnceAreLimited tries each operation while an address already has its limit of
// requests under way.
func requestsAtOnceAreLimited(t *testing.T, w *witness) {
	s := w.newServer(t, sse.Options{}, 100, limitedTo(limits.Options{RequestsPerAddress: 1, ReadingPerAddress: 1}))
	p := s.connect(t)
	p.promise()
	bodies := map[string]string{
		"/events": `{"type":"ping"}`, "/events/batch": `{"events":[{"type":"ping"}]}`, "/rooms/{roomId}/events": `{"type":"announcement","data":1}`,
		"/connections/{socketId}/events": `{"type":"announcement","data":1}`,
	}
	for template, item := range w.document.Paths.Map() {
		for method, operation := range item.Operations() {
			if operation.Responses.Value("503") == nil || template == "/readyz" {
				continue
			}
			path := withExamples(template, operation.Parameters)
			if template == "/silence" {
				path += "?seconds=1"
			}
			body := ""
			if method == http.MethodPost {
				body = bodies[template]
			}
			r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
			require.NoError(t, err)
			if body != "" {
				r.Header.Set("Content-Type", "application/json")
			}
			r.Header.Set("Authorization", "Bearer "+p.token)
			r.Header.Set("Accept", "*/*")
			status, _ := s.do(t, r)
			require.Equal(t, http.StatusServiceUnavailable, status, path)
		}
	}
	for _, path := range []string{"/livez", "/readyz", "/health"} {
		s.ask(t, http.StatusOK, http.MethodGet, path, nil)
	}
}

// headersAreBounded tries each operation with a header of too many fields.
func headersAreBounded(t *testing.T, w *witness) {
	s := w.newServer(t, sse.Options{}, 100)
	for template, item := range w.document.Paths.Map() {
		for method, operation := range item.Operations() {
			if operation.Responses.Value("431") == nil {
				continue // a file, which only this test's document has
			}
			path := withExamples(template, operation.Parameters)
			if template == "/silence" {
				path += "?seconds=1"
			}
			r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, nil)
			require.NoError(t, err)
			r.Header["X"] = make([]string, 250)
			for n := range 10 {
				r.Header.Set(fmt.Sprint("Y-", n), "")
			}
			r.Header.Set("Authorization", "Bearer "+sse.NewToken().Secret())
			status, problem := s.do(t, r)
			require.Equal(t, http.StatusRequestHeaderFieldsTooLarge, status, path)
			require.Equal(t, "/problems/header-too-large", problem["type"])
		}
	}
}

func foreignPagesAreRefused(t *testing.T, w *witness) {
	s := w.newServer(t, sse.Options{}, 100, func(u *setup) { u.API.CORSOrigins = []string{"https://app.example.com"} })
	refused := func(r *http.Request) {
		r.Header.Set("Origin", "https://evil.example")
		status, problem := s.do(t, r)
		require.Equal(t, http.StatusForbidden, status)
		require.Equal(t, "/problems/origin-not-allowed", problem["type"])
	}
	p := s.connect(t)
	for path, body := range map[string]string{"/events": `{"type":"ping"}`, "/events/batch": `{"events":[{"type":"ping"}]}`, "/events/stream": ""} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+path, strings.NewReader(body))
		require.NoError(t, err)
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+p.token)
		refused(r)
	}
	for _, o := range operations {
		refused(o.request(t, s))
	}
	p.quiet()
}

func draining(t *testing.T, w *witness) {
	s := w.newServer(t, sse.Options{}, 100)
	p := s.join(t, "room", "Ada")
	require.NoError(t, s.hub.Drain(t.Context()))
	p.next("server-shutdown")
	p.ended()
	p.refuse(http.StatusServiceUnavailable, "shutting-down", `{"type":"ping"}`)
	for path, method := range readingMethods {
		require.NotEmpty(t, s.ask(t, http.StatusServiceUnavailable, method, path, anything).Get("Retry-After"))
	}
	for path, method := range streamMethods {
		refused := s.stream(t, method, path, nil)
		require.Equal(t, "draining", refused.next("disconnected").json["reason"])
		refused.ended()
	}
	require.NotEmpty(t, s.ask(t, http.StatusServiceUnavailable, http.MethodGet, "/readyz", nil).Get("Retry-After"))
	_, health := s.get(t, "/health")
	require.Equal(t, "draining", health["status"])
}

// failing is a state that fails with an error, while there is one.
type failing struct {
	machine.State
	err atomic.Pointer[error]
}

func (f *failing) now() error {
	if err := f.err.Load(); err != nil {
		return *err
	}
	return nil
}

func (f *failing) Post(ctx context.Context, p *machine.Post) (machine.Outcomes, bool, error) {
	if err := f.now(); err != nil {
		return "", false, err
	}
	return f.State.Post(ctx, p)
}

func (f *failing) Operate(ctx context.Context, o machine.Operation) (machine.Outcome, error) {
	if err := f.now(); err != nil {
		return 0, err
	}
	return f.State.Operate(ctx, o)
}

func (f *failing) Ready() error { return f.now() }

// Status is that of a node beside another.
func (f *failing) Status() machine.Status {
	s := machine.Status{Name: "n1", IsEngineReached: true, Position: 5, Newest: 5, SnapshotBytes: 100, SnapshotAt: time.Now(), SnapshotPause: time.Millisecond,
		Nodes: []machine.NodeStatus{{Name: "n1"}, {Name: "n2", IsLost: true, Silence: 75 * time.Second}}}
	if f.now() != nil {
		s.Newest, s.Out = 9, "it joins the others, 4 records behind"
	}
	return s
}

func theNodesDoNotReachEachOther(t *testing.T, w *witness) {
	state := &failing{}
	s := w.newServer(t, sse.Options{}, 100, clustered(state), withWebhooks("http://127.0.0.1:1"))
	p := s.join(t, "room", "Ada")
	s.ask(t, http.StatusOK, http.MethodGet, "/readyz", nil)
	s.ask(t, http.StatusOK, http.MethodGet, "/cluster", nil)
	own := map[string]string{"Authorization": "Bearer " + p.token, "Content-Type": "application/json"}
	post := func(path, body string) int {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+path, strings.NewReader(body))
		require.NoError(t, err)
		for name, value := range own {
			r.Header.Set(name, value)
		}
		status, _ := s.do(t, r)
		return status
	}
	for status, err := range map[int]error{http.StatusServiceUnavailable: machine.ErrNotReady, http.StatusGatewayTimeout: machine.ErrUnknown} {
		state.err.Store(&err)
		require.Equal(t, status, post("/events", ping))
		require.Equal(t, status, post("/events/batch", `{"events":[`+ping+`]}`))
		require.Equal(t, status, post("/rooms/room/events", `{"type":"announcement","data":1}`))
		require.Equal(t, status, post("/connections/"+p.socketID+"/events", `{"type":"announcement","data":1}`))
		for path, method := range map[string]string{
			"/events": http.MethodGet, "/events/stream": http.MethodPost, "/events/poll": http.MethodGet,
			"/rooms/room": http.MethodDelete, "/connections/" + p.socketID: http.MethodDelete,
		} {
			header := s.ask(t, status, method, path, nil)
			require.Contains(t, []string{"1", "2"}, header.Get("Retry-After"), path)
		}
		s.ask(t, status, http.MethodPut, "/revocations/users/Ada", nil)
		s.ask(t, status, http.MethodDelete, "/revocations/users/Ada", nil)
		s.ask(t, status, http.MethodPost, "/webhooks/replay?since=2026-03-01T12:00:00Z", nil)
		s.ask(t, status, http.MethodPost, "/rooms/room/lock", nil)
		s.ask(t, status, http.MethodDelete, "/rooms/room/lock", nil)
		if status == http.StatusServiceUnavailable {
			s.ask(t, status, http.MethodGet, "/readyz", nil)
			s.ask(t, http.StatusOK, http.MethodGet, "/cluster", nil)
		}
		state.err.Store(nil)
	}
	p.quiet()
}
