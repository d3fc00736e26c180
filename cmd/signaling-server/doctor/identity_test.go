package doctor

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// answers is a server that answers all requests alike.
func answers(status int, header ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte("<html>"))
	})
}

// If something else answers, one finding says so, in place of one for each check.
func TestSomethingElseThatAnswersIsNamed(t *testing.T) {
	t.Parallel()
	certificate := newAuthority(t).sign(t, nil)
	for name, c := range map[string]struct {
		address string
		words   []string
	}{
		"another web server": {serve(t, answers(http.StatusOK, "Server", "nginx"), nil), []string{"No signaling server answers", "status 200 by nginx", "Correct the URL"}},
		"a wrong path":       {startServer(t, nil) + "/signal", []string{"No signaling server answers", "/signal/doctor.json was answered with status 404"}},
		"a proxy alone":      {serve(t, answers(http.StatusBadGateway), nil), []string{"does not reach the server", "Start the server"}},
		"a password":         {serve(t, answers(http.StatusUnauthorized), nil), []string{"refuses requests", "Let GET requests to"}},
		"a redirect":         {serve(t, answers(http.StatusMovedPermanently, "Location", "https://user:password@login.example.com/in?token=password"), nil), []string{"leads elsewhere", "It leads to https://login.example.com/in.", "Use the URL of the server itself"}},
		"a redirect nowhere": {serve(t, answers(http.StatusFound), nil), []string{"leads elsewhere", "nowhere"}},
		"http to https":      {strings.Replace(serve(t, answers(http.StatusOK), &certificate), "https:", "http:", 1), []string{"The port speaks https", "Write https"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report := Run(t.Context(), optionsFor(t, c.address))
			require.Len(t, report.Faults(), 1, "%+v", report.Faults())
			requireFinding(t, all(report), "server", Bad, c.words...)
			require.Len(t, report.Results, 3, "no other check can run")
			require.NotContains(t, written(t, report), "password")
		})
	}
}

// A proxy may pass on nothing but what clients need.
func TestAServerIsKnownWithoutThePagesOfTheDoctor(t *testing.T) {
	t.Parallel()
	address := behind(t, startServer(t, nil), way{answer: func(w http.ResponseWriter, r *http.Request) bool {
		isOther := !strings.HasPrefix(r.URL.Path, "/events")
		if isOther {
			http.NotFound(w, r)
		}
		return isOther
	}})
	report := Run(t.Context(), optionsFor(t, address))
	requireFinding(t, all(report), "server", Good, "It answers POST /events.")
	requireFinding(t, all(report), "eventSource", Good)
	requireFinding(t, all(report), "exchange", Bad)
}
