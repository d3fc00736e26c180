package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"signaling-server/cmd/signaling-server/doctor"
)

// runDoctor runs the command, and returns its exit code and its output.
func runDoctor(environment []string, args ...string) (exitCode int, stdout, stderr string) {
	var out, log bytes.Buffer
	exitCode = run(process{args: append([]string{"doctor"}, args...), environment: environment, stdout: &out, stderr: &log})
	return exitCode, out.String(), log.String()
}

func TestTheDoctorSaysThatAllIsWell(t *testing.T) {
	const secret = "a secret of 32 bytes, as is needed"
	const turn = "turn:127.0.0.1:2" // nobody listens there, and browsers do not block the port
	s := start(t, "ACCESS_SECRET="+secret, "TURN_SECRET=not to be seen", "TURN_URLS="+turn+"?transport=tcp")
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"sub": "Ada", "room": "*", "exp": time.Now().Add(time.Hour).Unix()}).SignedString([]byte(secret))
	require.NoError(t, err)
	code, stdout, stderr := runDoctor([]string{"ACCESS_TOKEN=" + token, "PORT=not a port"}, s.url, "-wait", "1s", "-timeout=10s", "-json")
	require.Equal(t, exitWrong, code, stdout+stderr)
	var report doctor.Report
	require.NoError(t, json.Unmarshal([]byte(stdout), &report))
	require.Len(t, report.Faults(), 1, "%+v", report.Faults())
	require.Contains(t, report.Faults()[0].Title, "The TURN server cannot be reached ("+turn+" by TCP)")
	require.Contains(t, stderr, "ok       A room: Two clients meet in a room\n")
	require.NotContains(t, stderr, "\x1b", "not a terminal")
	for _, hidden := range []string{token, secret, "not to be seen"} {
		require.NotContains(t, stdout+stderr, hidden)
	}
	require.Zero(t, s.stop(t))

	s = start(t)
	code, stdout, _ = runDoctor(nil, "-wait=1s", s.url+" ")
	require.Equal(t, exitGood, code, stdout)
	require.Contains(t, stdout, "\nNothing is wrong.\n")
	require.NotContains(t, stdout, "WHAT TO CHANGE")
	require.Zero(t, s.stop(t))
}

func TestTheDoctorExplainsAWrongCommand(t *testing.T) {
	for _, c := range []struct {
		args  []string
		words string
	}{
		{nil, "give one URL"},
		{[]string{"https://a.example", "https://b.example"}, "give one URL"},
		{[]string{"signaling.example.com"}, "must begin with https://"},
		{[]string{"localhost:3002"}, "must begin with https://"},
		{[]string{"ftp://user:password@signaling.example.com"}, "must begin with https://"},
		{[]string{"https://"}, "must begin with https://"},
		{[]string{"https://a.example:99999"}, "port in the URL"},
		{[]string{"https://a.example:0"}, "port in the URL"},
		{[]string{"https://a.example/?token=password"}, "neither a query"},
		{[]string{"https://a.example", "-wait", "4m"}, "-wait must be"},
		{[]string{"https://a.example", "-wait", "password"}, "invalid"},
		{[]string{"https://a.example", "-timeout", "1ms"}, "-timeout must be"},
		{[]string{"https://a.example", "-origin", "app.example.com"}, "-origin must be"},
		{[]string{"https://a.example", "-origin", "https://*.example.com"}, "-origin must be"},
		{[]string{"https://a.example", "-acess-token=password"}, "not defined"},
	} {
		code, stdout, stderr := runDoctor(nil, c.args...)
		require.Equal(t, exitUsage, code, "%q", c.args)
		require.Empty(t, stdout)
		require.Contains(t, stderr, c.words)
		if !strings.Contains(strings.Join(c.args, " "), "-wait") {
			require.NotContains(t, stderr, "password", "%q", c.args)
		}
	}
	code, stdout, _ := runDoctor(nil, "-h")
	require.Equal(t, exitGood, code)
	for _, words := range []string{"signaling-server doctor [options] URL", "-origin", "-wait", "ACCESS_TOKEN", "exit status is 0"} {
		require.Contains(t, stdout, words)
	}
}

func TestASignalStopsTheDoctor(t *testing.T) {
	asked := make(chan struct{})
	var once sync.Once
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		once.Do(func() { close(asked) })
		<-r.Context().Done()
	}))
	t.Cleanup(func() {
		silent.CloseClientConnections()
		silent.Close()
	})
	signals := make(chan os.Signal, 1)
	exited := make(chan int, 1)
	var out, log bytes.Buffer
	go func() { // ends with the command
		exited <- run(process{args: []string{"doctor", "-timeout=1m", silent.URL}, stdout: &out, stderr: &log, signals: signals})
	}()
	<-asked
	signals <- syscall.SIGINT
	select {
	case code := <-exited:
		require.Equal(t, exitWrong, code)
		require.Contains(t, log.String(), "it was stopped")
	case <-time.After(patience):
		require.Fail(t, "the command does not stop")
	}
}
