package main

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"signaling-server/access"
	"signaling-server/httpapi"
	"signaling-server/httpapi/httpapitest"
	"signaling-server/internal/version"
	"signaling-server/server"
	"signaling-server/sse"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve serves a handler on a loopback port until the test ends.
func serve(t *testing.T, h http.Handler) string {
	s := httptest.NewServer(h)
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
		http.DefaultClient.CloseIdleConnections()
	})
	return s.URL
}

// ours is our server without limits of rates, which stops with the test.
func ours(t *testing.T, p server.Parts) *server.Server {
	p.Rooms.Members = 100
	return httpapitest.Run(t, p)
}

// try runs the command, and returns its exit status and what it wrote.
func try(t *testing.T, args ...string) (status int, stdout, stderr string) {
	var out, problems bytes.Buffer
	status = run(t.Context(), args, &out, &problems)
	return status, out.String(), problems.String()
}

func TestTheVersionIsPrinted(t *testing.T) {
	status, stdout, stderr := try(t, "-version")
	require.Zero(t, status, stderr)
	require.Equal(t, version.Text("signaling-load")+"\n", stdout)
}

// brief are flags that make a run short.
func brief(url string, more ...string) []string {
	return append([]string{"-url", url, "-clients=10", "-settle=0s", "-warmup=50ms", "-duration=200ms"}, more...)
}

// measure runs the command and returns its result, which must be that of a good server.
func measure(t *testing.T, args ...string) result {
	status, stdout, stderr := try(t, append(args, "-json")...)
	require.Zero(t, status, stdout+stderr)
	var r result
	require.NoError(t, json.Unmarshal([]byte(stdout), &r))
	return r
}

func TestOurServerDeliversEverythingInEachWay(t *testing.T) {
	url := serve(t, ours(t, server.Parts{}).Handler())
	for name, flags := range map[string][]string{
		"streams in turn":       nil,
		"streams in time":       {"-rate=500"},
		"polls in turn":         {"-transport=poll"},
		"polls in time":         {"-transport=poll", "-rate=500"},
		"batches":               {"-batch=20"},
		"large rooms":           {"-room-size=5"},
		"a room that is odd":    {"-room-size=4"},
		"offers alone":          {"-candidates=0"},
		"net/http":              {"-net-http"},
		"net/http with polls":   {"-net-http", "-transport=poll"},
		"a connection per POST": {"-keep-alive=false"},
		"as a browser":          {"-browser"},
		"shared connections":    {"-post-connections=2"},
		"churn":                 {"-churn=100"},
		"churn of polls":        {"-churn=100", "-transport=poll", "-rate=500"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := measure(t, brief(url, flags...)...)
			require.Positive(t, r.Check.Accepted)
			require.Equal(t, check{Accepted: r.Check.Accepted, Received: r.Check.Accepted}, r.Check)
			require.Positive(t, r.Sending.Events)
			require.Positive(t, r.Sending.Latency.P50)
			require.GreaterOrEqual(t, r.Sending.Latency.P99, r.Sending.Latency.P50)
			require.Empty(t, r.Errors)
			require.Equal(t, strings.Contains(name, "churn"), r.Sending.Churned > 0)
		})
	}
}

func TestTheToolLeavesNothingBehind(t *testing.T) {
	signaling := ours(t, server.Parts{})
	url := serve(t, signaling.Handler())
	measure(t, brief(url)...)
	measure(t, brief(url, "-transport=poll")...)
	active, away, _ := signaling.Hub().Counts()
	require.Zero(t, active+away)
}

func TestHTTP2OverTLS(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("elsewhere SSL_CERT_FILE does not name the authorities")
	}
	h := httptest.NewUnstartedServer(ours(t, server.Parts{}).Handler())
	h.EnableHTTP2 = true
	var protocol atomic.Value
	inner := h.Config.Handler
	h.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		protocol.Store(r.Proto)
		inner.ServeHTTP(w, r)
	})
	h.StartTLS()
	t.Cleanup(func() {
		h.CloseClientConnections()
		h.Close()
	})
	authority := filepath.Join(t.TempDir(), "authority.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: h.Certificate().Raw})
	require.NoError(t, os.WriteFile(authority, text, 0o600))
	t.Setenv("SSL_CERT_FILE", authority)
	r := measure(t, brief(h.URL, "-clients=2")...)
	require.Positive(t, r.Check.Accepted)
	require.Equal(t, "HTTP/2.0", protocol.Load())
}

func TestIdleClientsAreCountedAndAnswerHeartbeats(t *testing.T) {
	var posts atomic.Int64
	signaling := ours(t, server.Parts{})
	url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			posts.Add(1)
		}
		signaling.Handler().ServeHTTP(w, r)
	}))
	r := measure(t, brief(url, "-idle", "-heartbeats", "-clients=1")...)
	require.Nil(t, r.Sending)
	require.NotNil(t, r.Heartbeats)
	require.EqualValues(t, 3, posts.Load(), "join, the answer to the first heartbeat, disconnect")
}

func TestAccessTokensAreSignedByTheSecret(t *testing.T) {
	secret := strings.Repeat("s", 32)
	verifier, err := access.NewVerifier(t.Context(), access.Options{Keys: access.Keys{Secret: []byte(secret)}})
	require.NoError(t, err)
	t.Cleanup(verifier.Close)
	url := serve(t, ours(t, server.Parts{API: httpapi.Options{Access: verifier}}).Handler())

	status, _, stderr := try(t, brief(url)...)
	require.Equal(t, 2, status)
	require.Contains(t, stderr, "403")
	require.Contains(t, stderr, "set ACCESS_SECRET")

	t.Setenv("ACCESS_SECRET", secret)
	require.Positive(t, measure(t, brief(url)...).Check.Accepted)
}

func TestTheServersOwnMetricsTellWhatItUses(t *testing.T) {
	const token = "operator-token-of-a-test"
	url := serve(t, ours(t, server.Parts{API: httpapi.Options{AdminToken: token, Environment: httpapi.Production}}).Handler())

	status, _, stderr := try(t, brief(url, "-metrics")...)
	require.Equal(t, 2, status)
	require.Contains(t, stderr, "set ADMIN_TOKEN")

	t.Setenv("ADMIN_TOKEN", token)
	status, stdout, stderr := try(t, brief(url, "-metrics")...)
	require.Zero(t, status, stderr)
	require.Regexp(t, `allocations +[1-9]`, stdout)
	require.Regexp(t, `processor time +\d+\.\d+ µs each`, stdout)
	require.NotContains(t, stdout+stderr, token)
	_, _, help := try(t, "-h")
	require.NotContains(t, help, token)
}

func TestTheServersProcessIsMeasured(t *testing.T) {
	url := serve(t, ours(t, server.Parts{}).Handler())
	pid := fmt.Sprintf("-pid=%d", os.Getpid())
	if runtime.GOOS != "linux" {
		_, _, stderr := try(t, brief(url, pid)...)
		require.Contains(t, stderr, "-pid needs Linux")
		return
	}
	r := measure(t, brief(url, pid)...)
	require.Positive(t, r.Sending.Server)
	require.Positive(t, r.Joining.Server)
	require.Positive(t, r.Idle.Resident)

	status, _, stderr := try(t, brief(url, "-pid=4194303")...)
	require.Equal(t, 2, status)
	require.Contains(t, stderr, "is -pid not its process")
}

// nobody listens at this address. The next test could get a port that a test has closed.
const nobody = "http://127.0.0.1:1"

// The errors of a run that cannot begin say what to do.
func TestWhatIsWrongWithTheServerIsSaid(t *testing.T) {
	limited := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "slow down", http.StatusTooManyRequests) })
	for name, c := range map[string]struct{ url, says string }{
		"nobody listens":  {nobody, "Is the server running"},
		"another server":  {serve(t, http.NotFoundHandler()), "without /events"},
		"too many":        {serve(t, limited), "docs/performance.md"},
		"not HTTP at all": {serve(t, hijacked("SSH-2.0-OpenSSH\r\n")), "malformed HTTP"},
	} {
		t.Run(name, func(t *testing.T) {
			status, _, stderr := try(t, brief(c.url)...)
			require.Equal(t, 2, status)
			require.Contains(t, stderr, c.says)
			require.Contains(t, stderr, "0 of 10 clients have connected")
		})
	}
}

// A server that stops in the middle is not a good one, even if nothing that it accepted
// was lost.
func TestClientsThatLoseTheirStreamAreCounted(t *testing.T) {
	for name, flags := range map[string][]string{
		"streams": {"-rate=500"}, "idle streams": {"-idle"}, "polls": {"-transport=poll", "-rate=500"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var isGone atomic.Bool
			handler := ours(t, server.Parts{}).Handler()
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if isGone.Load() { // a client has connected again before the listener was closed
					panic(http.ErrAbortHandler)
				}
				handler.ServeHTTP(w, r)
			}))
			stop := time.AfterFunc(500*time.Millisecond, func() {
				isGone.Store(true)
				s.CloseClientConnections()
				s.Close()
			})
			status, stdout, stderr := try(t, brief(s.URL, append(flags, "-duration=2s")...)...)
			require.False(t, stop.Stop())
			require.Equal(t, 1, status, stdout+stderr)
			require.Regexp(t, `lost their stream +10 clients`, stdout)
			require.Regexp(t, `\d×  receiving: `, stdout)
		})
	}
}

// hijacked answers each request with these bytes.
func hijacked(answer string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_, _ = conn.Write([]byte(answer))
			_ = conn.Close()
		}
	})
}

func TestTheReportIsOnePage(t *testing.T) {
	url := serve(t, ours(t, server.Parts{}).Handler())
	path := filepath.Join(t.TempDir(), "report.html")
	measure(t, brief(url, "-report", path, "-duration=1200ms")...)
	page, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Contains(t, string(page), "arrived, once each and in order")
	require.Contains(t, string(page), "uPlot")
	require.Contains(t, string(page), `"eventsPerSecond":`)
	require.NotRegexp(t, `(src|href)="[^d]`, string(page), "it needs no other file")

	status, _, stderr := try(t, brief(url, "-report", filepath.Join(path, "x"))...)
	require.Equal(t, 2, status)
	require.Contains(t, stderr, "writing the report")
}

func TestFlagsThatDoNotFitTogetherAreRefused(t *testing.T) {
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"-url=localhost:3002"}, "write an address such as http://localhost:3002"},
		{[]string{"-url=ftp://localhost"}, "write an address"},
		{[]string{"-transport=websocket"}, "write stream or poll"},
		{[]string{"-clients=0"}, "must be 1 or more"},
		{[]string{"-batch=0"}, "must be 1 or more"},
		{[]string{"-room-size=1"}, "add -idle"},
		{[]string{"-rate=-1"}, "must not be negative"},
		{[]string{"-duration=-1s"}, "must not be negative"},
		{[]string{"-floor", "-batch=2"}, "leave out"},
		{[]string{"-floor", "-transport=poll"}, "leave out"},
		{[]string{"-floor", "-metrics"}, "set -pid too"},
		{[]string{"-floor", "-resume"}, "resumes nothing"},
		{[]string{"-url=http://a,https://b"}, "the same scheme"},
		{[]string{"-url=http://a/x", "-url=http://b/y"}, "the same scheme and path"},
		{[]string{"-url=http://a,"}, "write an address"},
		{[]string{"-url=http://a,http://b", "-metrics"}, "-pid for each node"},
		{[]string{"-pid=-1"}, "pgrep"},
		{[]string{"-pid=1,x"}, "pgrep"},
		{[]string{"-engine-pid=1"}, "set -pid too"},
		{[]string{"http://localhost:3002"}, "there are only flags"},
		{[]string{"-fast"}, "flag provided but not defined"},
	} {
		status, stdout, stderr := try(t, c.args...)
		require.Equal(t, 2, status, c.args)
		require.Empty(t, stdout, c.args)
		require.Contains(t, stderr, c.says, c.args)
	}
}

// Programs read the JSON, such as internal/bench: so its names stay.
func TestTheJSONHasItsNames(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("-pid needs Linux")
	}
	t.Parallel()
	url := serve(t, ours(t, server.Parts{SSE: sse.Options{HeartbeatInterval: 300 * time.Millisecond}}).Handler())
	pid := fmt.Sprintf("-pid=%d", os.Getpid())
	_, sending, _ := try(t, brief(url, "-json", "-metrics", pid, "-churn=50", "-rest=1ms", "-duration=1200ms")...)
	_, idle, _ := try(t, brief(url, "-json", pid, "-idle", "-duration=1200ms")...)

	_, processes, _ := try(t, brief(url, "-json", "-resume", pid, pid, "-engine-"+pid[1:], "-duration=1200ms")...)

	const path = "../../internal/bench/testdata/results.json"
	documents := [3]json.RawMessage{json.RawMessage(sending), json.RawMessage(idle), json.RawMessage(processes)}
	if *update {
		text, err := json.MarshalIndent(documents, "", "  ")
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path, append(text, '\n'), 0o644))
	}
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	var recorded [3]json.RawMessage
	require.NoError(t, json.Unmarshal(text, &recorded))
	for i, document := range documents {
		require.Equal(t, namesIn(t, recorded[i]), namesIn(t, document), "-update records new names")
	}
}

var update = flag.Bool("update", false, "record the names in the JSON")

// namesIn returns the paths of all members of a document.
func namesIn(t *testing.T, document []byte) []string {
	var value any
	require.NoError(t, json.Unmarshal(document, &value))
	names := make(map[string]bool)
	var walk func(path string, value any)
	walk = func(path string, value any) {
		switch value := value.(type) {
		case map[string]any:
			for name, member := range value {
				walk(path+"."+name, member)
			}
		case []any:
			for _, element := range value {
				walk(path+"[]", element)
			}
		default:
			names[path] = true
		}
	}
	walk("", value)
	delete(names, ".notes[]") // depends on how busy the machine is
	return slices.Sorted(maps.Keys(names))
}
