package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"signaling-server/httpapi/httpapitest"
	"signaling-server/internal/version"
	"signaling-server/server"
	"signaling-server/sse"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"))
}

// brief makes the windows short, so that the slow rules take seconds.
var brief = sse.Options{HeartbeatInterval: 500 * time.Millisecond, ResumeWindow: 5 * time.Second, AwayAfter: 500 * time.Millisecond}

func TestOurServerKeepsAllRules(t *testing.T) {
	s := httpapitest.Start(t, server.Parts{SSE: brief})
	junit := filepath.Join(t.TempDir(), "report.xml")
	var stdout, stderr bytes.Buffer
	status := run(t.Context(), []string{"-url", s.URL, "-junit", junit}, &stdout, &stderr)
	require.Zero(t, status, stdout.String()+stderr.String())
	all := len(allRules())
	require.Contains(t, stdout.String(), fmt.Sprintf("keeps %d of %d rules.", all, all), "no rule is skipped")

	text, err := os.ReadFile(junit)
	require.NoError(t, err)
	var read suites
	require.NoError(t, xml.Unmarshal(text, &read))
	cases := 0
	for _, suite := range read.Suites {
		require.Zero(t, suite.Failures+suite.Skipped)
		cases += len(suite.Cases)
	}
	require.Equal(t, all, cases)
}

// A tool that never finds a fault proves nothing. Each of these servers breaks a
// rule, and the report must name that rule.
func TestTheReportNamesWhatABrokenServerBreaks(t *testing.T) {
	always := func(*http.Request) bool { return true }
	isStream := func(r *http.Request) bool { return r.Method == http.MethodGet && r.URL.Path == "/events" }
	isPost := func(r *http.Request) bool { return r.Method == http.MethodPost && r.URL.Path == "/events" }
	isWrong := func(r *http.Request) bool { return isPost(r) && r.Header.Get("Last-Event-ID") == "nonsense" }
	losesIDs := func(r *http.Request) bool {
		if isPost(r) {
			r.Header.Del("Last-Event-ID")
		}
		return false
	}
	for name, broken := range map[string]struct {
		on    func(*http.Request) bool
		as    func(w http.ResponseWriter) http.ResponseWriter
		rules []string // IDs that the report must name
	}{
		"accepts with 200":         {isPost, status(http.StatusAccepted, http.StatusOK), []string{"accepted-is-202"}},
		"hears no confirmation":    {losesIDs, nil, []string{"a-post-may-confirm"}},
		"demands right ids":        {isWrong, status(http.StatusAccepted, http.StatusUnprocessableEntity), []string{"a-wrong-confirmation-does-no-harm"}},
		"accepts with an array":    {isPost, body("{}", "[]"), []string{"accepted-is-202"}},
		"repeats events":           {isStream, frames(func(f string) string { return f + f }), []string{"accepted-means-delivered-once-and-in-order", "signals-reach-only-their-target"}},
		"loses signals":            {isStream, frames(without("event: signal")), []string{"accepted-means-delivered-once-and-in-order"}},
		"says nothing of arrivals": {isStream, frames(without("event: user-connected")), []string{"earlier-and-later-find-each-other-once"}},
		"has no ids":               {isStream, frames(func(f string) string { return strings.Replace(f, "id: ", "id: x", 1) }), []string{"ids-are-token-and-sequence"}},
		"has no heartbeats":        {isStream, frames(without("event: heartbeat")), []string{"connected-comes-first"}},
		"writes numbers anew":      {isStream, frames(func(f string) string { return strings.Replace(f, "1.50e+02", "150", 1) }), []string{"payloads-are-relayed-as-written"}},
		"lets streams be cached":   {isStream, header("Cache-Control", "public"), []string{"a-stream-has-its-headers"}},
		"does not say what it may": {always, header("Allow", ""), []string{"method-not-allowed"}},
		"has problems of its own":  {always, header("Content-Type", "application/json"), []string{"malformed-json", "not-found", "not-in-room"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := httpapitest.Start(t, server.Parts{SSE: brief})
			front := sabotaged(t, s.URL, broken.on, broken.as)
			var stdout, stderr bytes.Buffer
			pattern := "^(" + strings.Join(append(broken.rules, "tokens-are-128-bits"), "|") + ")$"
			require.Equal(t, 1, run(t.Context(), []string{"-url", front, "-run", pattern, "-timeout", "5s"}, &stdout, &stderr), stdout.String())
			for _, r := range allRules() {
				if slices.Contains(broken.rules, r.id) {
					require.Contains(t, stdout.String(), "✗ "+r.sentence+"\n      "+r.id+"\n", "%s", r.id)
				}
			}
			require.Contains(t, stdout.String(), "expected:")
		})
	}
}

func TestTheReportSaysWhatCouldNotBeTried(t *testing.T) {
	var stdout, stderr bytes.Buffer
	require.Equal(t, 2, run(t.Context(), []string{"-url", "http://127.0.0.1:1"}, &stdout, &stderr))
	require.Contains(t, stderr.String(), "No server answers at http://127.0.0.1:1")
	require.Equal(t, 2, run(t.Context(), []string{"-run", "("}, &stdout, &stderr))
	require.Equal(t, 2, run(t.Context(), []string{"-parallel", "0"}, &stdout, &stderr))

	s := httpapitest.Start(t, server.Parts{})
	front := sabotaged(t, s.URL, func(r *http.Request) bool { return r.URL.Path == "/stats" }, status(http.StatusOK, http.StatusForbidden))
	stdout.Reset()
	require.Zero(t, run(t.Context(), []string{"-url", front, "-run", "^stats$"}, &stdout, &stderr))
	require.Contains(t, stdout.String(), "not tried: monitoring needs the operators' token: set -admin-token")
}

func TestTheUsageDoesNotShowTheOperatorsToken(t *testing.T) {
	const token = "operators-token-1"
	t.Setenv("ADMIN_TOKEN", token)
	var stdout, stderr bytes.Buffer
	run(t.Context(), []string{"-h"}, &stdout, &stderr)
	require.Contains(t, stderr.String(), "-admin-token")
	require.NotContains(t, stdout.String()+stderr.String(), token)

	s, err := parse(nil, &stderr)
	require.NoError(t, err)
	require.Equal(t, token, s.adminToken)
}

func TestTheVersionIsPrinted(t *testing.T) {
	var stdout, stderr bytes.Buffer
	require.Zero(t, run(t.Context(), []string{"-version"}, &stdout, &stderr), stderr.String())
	require.Equal(t, version.Text("signaling-conformance")+"\n", stdout.String())
}

func TestEachRuleHasAnIDOfItsOwn(t *testing.T) {
	seen := make(map[string]bool)
	for _, r := range allRules() {
		require.False(t, seen[r.id], r.id)
		require.NotEmpty(t, r.sentence)
		seen[r.id] = true
	}
	var stdout bytes.Buffer
	require.Zero(t, run(t.Context(), []string{"-list"}, &stdout, &stdout))
	require.Contains(t, stdout.String(), "socket-ids-are-hashes")
}

// sabotaged starts a proxy that changes some answers, and returns its address.
func sabotaged(t *testing.T, server string, on func(*http.Request) bool, as func(http.ResponseWriter) http.ResponseWriter) string {
	proxy := httpapitest.Proxy(t, server)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if on(r) {
			w = as(w)
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		front.CloseClientConnections()
		front.Close()
	})
	return front.URL
}

// changed is a response that the proxy changes.
type changed struct {
	http.ResponseWriter
	header func(http.Header)
	status func(int) int
	body   func([]byte) []byte
}

func (c *changed) WriteHeader(code int) {
	if c.header != nil {
		c.header(c.Header())
	}
	if c.status != nil {
		code = c.status(code)
	}
	c.ResponseWriter.WriteHeader(code)
}

func (c *changed) Write(p []byte) (int, error) {
	if c.body == nil {
		return c.ResponseWriter.Write(p)
	}
	_, err := c.ResponseWriter.Write(c.body(p))
	return len(p), err
}

func (c *changed) Unwrap() http.ResponseWriter { return c.ResponseWriter }

func (c *changed) Flush() { c.ResponseWriter.(http.Flusher).Flush() }

func status(from, to int) func(http.ResponseWriter) http.ResponseWriter {
	return func(w http.ResponseWriter) http.ResponseWriter {
		return &changed{ResponseWriter: w, status: func(code int) int {
			if code == from {
				return to
			}
			return code
		}}
	}
}

func header(name, value string) func(http.ResponseWriter) http.ResponseWriter {
	return func(w http.ResponseWriter) http.ResponseWriter {
		return &changed{ResponseWriter: w, header: func(h http.Header) { h.Set(name, value) }}
	}
}

func body(from, to string) func(http.ResponseWriter) http.ResponseWriter {
	return func(w http.ResponseWriter) http.ResponseWriter {
		return &changed{ResponseWriter: w, body: func(p []byte) []byte { return bytes.ReplaceAll(p, []byte(from), []byte(to)) }}
	}
}

// frames changes each frame of a stream. The server may write a frame in several
// pieces.
func frames(change func(string) string) func(http.ResponseWriter) http.ResponseWriter {
	return func(w http.ResponseWriter) http.ResponseWriter {
		var begun string
		return &changed{ResponseWriter: w, body: func(p []byte) []byte {
			begun += string(p)
			var out strings.Builder
			for {
				frame, rest, whole := strings.Cut(begun, "\n\n")
				if !whole {
					return []byte(out.String())
				}
				out.WriteString(change(frame + "\n\n"))
				begun = rest
			}
		}}
	}
}

func without(line string) func(string) string {
	return func(frame string) string {
		if strings.Contains(frame, line+"\n") {
			return ""
		}
		return frame
	}
}
