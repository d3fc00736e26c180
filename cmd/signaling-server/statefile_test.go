package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/client"
	"signaling-server/internal/ssetest"
	"signaling-server/server"
)

// resume opens a stream after an event, and reads its events until one has a type.
func (s *started) resume(t *testing.T, lastEventID, until string) (events []ssetest.Event) {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, s.url+"/events", http.NoBody)
	require.NoError(t, err)
	r.Header.Set("Last-Event-ID", lastEventID)
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	for stream := ssetest.NewReader(response.Body); ; {
		e, err := stream.Next()
		require.NoError(t, err)
		if events = append(events, e); e.Type == until {
			return events
		}
	}
}

// repeat posts an event under an Idempotency-Key.
func (s *started) repeat(t *testing.T, token, key, body string) int {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, s.url+"/events", strings.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", key)
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	require.NoError(t, err)
	return response.StatusCode
}

// What one process has accepted, the next one delivers: to the same sockets, in the same room,
// once each. What one process knows of repeats, the next one knows, too.
func TestAProcessGoesOnWithTheStateOfTheOneBefore(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state")
	setting := "STATE_FILE=" + file
	s := start(t, setting, "SHUTDOWN_TIMEOUT=1m")
	_, ada, adasToken := s.open(t)
	_, _, bobsToken := s.open(t)
	join := func(name string) string {
		return fmt.Sprintf(`{"type":"join-room","roomId":"lobby","userId":%q}`, name)
	}
	require.Equal(t, http.StatusAccepted, s.post(t, adasToken, join("Ada")))
	require.Equal(t, http.StatusAccepted, s.post(t, bobsToken, join("Bob")))
	const hello = `{"type":"send-message","message":"hello"}`
	require.Equal(t, http.StatusAccepted, s.repeat(t, bobsToken, "1", hello))
	require.Zero(t, s.stop(t))
	rest, err := io.ReadAll(ada)
	require.NoError(t, err)
	require.Contains(t, string(rest), `"type":"server-shutdown"`)
	require.Contains(t, s.log.String(), "stopped, and left the state for the next process sockets=2")
	info, err := os.Stat(file)
	require.NoError(t, err)
	if runtime.GOOS != "windows" {
		require.EqualValues(t, 0o600, info.Mode().Perm(), "nobody else may read it")
	}
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	for _, token := range []string{adasToken, bobsToken} {
		require.NotContains(t, string(content), token, "the state has no token")
	}

	next := start(t, setting)
	require.NoFileExists(t, file, "no state is used twice")
	require.Contains(t, next.log.String(), "went on with the state of the process before sockets=2")
	require.Equal(t, http.StatusAccepted, next.repeat(t, bobsToken, "1", hello), "a repeat does nothing")
	require.Equal(t, http.StatusAccepted, next.post(t, bobsToken, `{"type":"signal","data":"the last"}`))
	events := next.resume(t, adasToken+".1", "signal")
	var types []string
	for _, e := range events {
		types = append(types, e.Type)
	}
	require.Equal(t, []string{"connected", "heartbeat", "user-connected", "new-message", "signal"}, types)
	require.Contains(t, events[0].Data, `"resumed":true`)

	require.Zero(t, next.stop(t))
	require.FileExists(t, file, "a state is handed over again and again")
	require.Contains(t, start(t, setting).stopAfter(t).log.String(), "went on with the state of the process before sockets=2")
}

// stopAfter stops the server, and returns it.
func (s *started) stopAfter(t *testing.T) *started {
	require.Zero(t, s.stop(t))
	return s
}

// An EventSource gives up when it is refused, but not when nobody listens. So a process that waits for slow
// clients accepts no connections: they wait in a socket of systemd, or come back.
func TestAProcessThatHandsOverRefusesNobody(t *testing.T) {
	s := start(t, "STATE_FILE="+filepath.Join(t.TempDir(), "state"))
	s.freezeClient(t)
	s.signals <- syscall.SIGTERM
	for line := range s.log.line {
		if strings.Contains(line, "stopping") {
			break
		}
	}
	_, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	require.Zero(t, <-s.exited)
	http.DefaultClient.CloseIdleConnections()
}

// A client of this project notices only that its stream has ended.
func TestAClientGoesOnAtTheNextProcess(t *testing.T) {
	setting := "STATE_FILE=" + filepath.Join(t.TempDir(), "state")
	s := start(t, setting)
	c, err := client.Dial(t.Context(), s.url)
	require.NoError(t, err)
	defer c.Close()
	require.NoError(t, c.Join(t.Context(), "lobby", "Ada"))
	id := c.SocketID()
	require.Zero(t, s.stop(t))

	next := start(t, setting, "PORT="+s.url[strings.LastIndexByte(s.url, ':')+1:])
	require.NoError(t, c.Send(t.Context(), client.ChatMessage{Message: "hello"}))
	for event, err := range c.Events() {
		require.NoError(t, err)
		if message, isMessage := event.(client.NewMessageEvent); isMessage {
			require.Equal(t, id, message.SocketID)
			break
		}
	}
	require.Equal(t, id, c.SocketID())
	c.Close()
	require.Zero(t, next.stop(t))
}

func TestAStateThatCannotBeUsedIsRefusedAndRemoved(t *testing.T) {
	now, window := time.Date(2026, 11, 30, 3, 0, 0, 0, time.UTC), 10*time.Second
	former, err := server.New(server.Options{HandsOver: true})
	require.NoError(t, err)
	state := former.State()
	good := appendState(nil, state, now)
	changed := func(at int) []byte {
		content := bytes.Clone(good)
		content[at]++
		return content
	}
	state[0]++
	for name, c := range map[string]struct {
		content []byte
		at      time.Time
		reason  string // empty: it is used
	}{
		"good":                       {good, now.Add(window), ""},
		"of a clock that went back":  {good, now.Add(-time.Second), ""},
		"empty":                      {nil, now, "it is damaged"},
		"of another program":         {changed(0), now, "it is damaged"},
		"of another form":            {changed(len(stateMark)), now, "another version of the server has written it"},
		"of another state":           {appendState(nil, state, now), now, "another version of the server has written it"},
		"of another time":            {changed(stateHeader - 1), now, "it is damaged"},
		"changed":                    {changed(stateHeader), now, "it is damaged"},
		"with another sum":           {changed(len(good) - 1), now, "it is damaged"},
		"cut off":                    {good[:len(good)-1], now, "it is damaged"},
		"with a sum and no sense":    {appendState(nil, append([]byte{1}, "nonsense"...), now), now, "malformed"},
		"older than a resume window": {good, now.Add(window + time.Second), "it is 11s old, and RESUME_WINDOW is 10s"},
		"of the future":              {good, now.Add(-time.Hour), "it was written at 2026-11-30T03:00:00Z, which is in the future: check the clock"},
	} {
		t.Run(name, func(t *testing.T) {
			file := stateFile(filepath.Join(t.TempDir(), "state"))
			require.NoError(t, os.WriteFile(string(file), c.content, 0o600))
			var log bytes.Buffer
			s, err := newServer(server.Options{HandsOver: true}, file, c.at, window, slog.New(slog.NewTextHandler(&log, nil)))
			require.NoError(t, err)
			require.NotNil(t, s)
			require.NoFileExists(t, string(file))
			require.Equal(t, 1, strings.Count(log.String(), "\n"), "%s", log.String())
			if c.reason == "" {
				require.Contains(t, log.String(), "went on with the state")
				return
			}
			require.Contains(t, log.String(), "so each client gets a new socket")
			require.Contains(t, log.String(), c.reason)
		})
	}
	for length := range good {
		_, err := readState(good[:length], now, window)
		require.Error(t, err, "the first %d bytes", length)
	}
}

// The next version must go on with what this version has left, or know it as of another version: then raise
// stateVersion, or formatVersion of package machine, and record a state with -update.
func TestAStateThatThisVersionHasRecordedIsUsed(t *testing.T) {
	const recorded = "testdata/state-1"
	if *update {
		s := start(t, "STATE_FILE="+recorded)
		for _, name := range []string{"Ada", "Bob"} {
			_, _, token := s.open(t)
			require.Equal(t, http.StatusAccepted, s.post(t, token, fmt.Sprintf(`{"type":"join-room","roomId":"lobby","userId":%q}`, name)))
			require.Equal(t, http.StatusAccepted, s.repeat(t, token, "1", `{"type":"send-message","message":"hello"}`))
		}
		require.Zero(t, s.stop(t))
		require.NoError(t, os.Remove(recorded+".lock"))
	}
	content, err := os.ReadFile(recorded)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "state")
	require.NoError(t, os.WriteFile(file, content, 0o600))
	written := time.UnixMilli(int64(binary.BigEndian.Uint64(content[stateHeader-8:])))
	var log bytes.Buffer
	s, err := newServer(server.Options{HandsOver: true}, stateFile(file), written, time.Minute, slog.New(slog.NewTextHandler(&log, nil)))
	require.NoError(t, err)
	require.Contains(t, log.String(), "went on with the state", "see the comment of this test")
	state, err := readState(content, written, time.Minute)
	require.NoError(t, err)
	withoutTime := func(state []byte) string { // how long processes had it, after its version
		_, length := binary.Varint(state[1:])
		return string(state[1+length:])
	}
	require.Equal(t, withoutTime(state), withoutTime(s.State()), "nothing was read in another way")
}

// A file that cannot be removed could be used twice. This one is a folder that is not empty.
func TestAStateThatCannotBeRemovedIsNotUsed(t *testing.T) {
	file := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(file, "x"), nil, 0o600))
	state, err := stateFile(file).take(time.Now(), time.Minute)
	require.Error(t, err)
	require.Nil(t, state)
}

func TestAFolderThatIsNotThereIsReportedAtTheStart(t *testing.T) {
	var stderr bytes.Buffer
	code := run(process{environment: []string{"PORT=0", "HOST=127.0.0.1", "STATE_FILE=/nowhere/state"}, stdout: io.Discard, stderr: &stderr})
	require.Equal(t, 1, code)
	require.Contains(t, stderr.String(), "signaling-server: STATE_FILE cannot be used: open /nowhere/state")
	require.Equal(t, 1, strings.Count(stderr.String(), "\n"))

	stderr.Reset()
	code = run(process{environment: []string{"STATE_FILE=x", "CLUSTER_URL=nats://127.0.0.1:1"}, stdout: io.Discard, stderr: &stderr})
	require.Equal(t, 1, code)
	require.Contains(t, stderr.String(), "STATE_FILE must not be set together with CLUSTER_URL")
}

// refused starts a server that must not start, and returns what it says.
func refused(t *testing.T, environment ...string) string {
	var stderr bytes.Buffer
	code := run(process{environment: append(environment, "PORT=0", "HOST=127.0.0.1"), stdout: io.Discard, stderr: &stderr})
	require.Equal(t, 1, code, stderr.String())
	require.Equal(t, 1, strings.Count(stderr.String(), "\n"), stderr.String())
	return stderr.String()
}

// A server removes its state file. So a wrong path must not cost an operator another file, and a folder
// must not cost all sockets when the server stops.
func TestWhatIsNoStateIsLeftAlone(t *testing.T) {
	folder := t.TempDir()
	foreign := filepath.Join(folder, "database")
	require.NoError(t, os.WriteFile(foreign, []byte("precious"), 0o600))
	link := filepath.Join(folder, "link")
	require.NoError(t, os.Symlink(foreign, link))
	require.Contains(t, refused(t, "STATE_FILE="+foreign), "STATE_FILE cannot be used: "+foreign+" has another content than a state: remove it, or name another file.")
	for _, path := range []string{link, t.TempDir()} {
		require.Contains(t, refused(t, "STATE_FILE="+path), "STATE_FILE cannot be used: "+path+" is not a file: remove it, or name another file.")
	}
	content, err := os.ReadFile(foreign)
	require.NoError(t, err)
	require.Equal(t, "precious", string(content))
}

// The first process would leave its state when the second has served its clients.
func TestTwoServersCannotHaveOneStateFile(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("NOT TESTED: this system has no such locks")
	}
	setting := "STATE_FILE=" + filepath.Join(t.TempDir(), "state")
	s := start(t, setting)
	require.Contains(t, refused(t, setting), "STATE_FILE cannot be used: another process uses it: stop that process first, or name another file.")
	require.Zero(t, s.stop(t))
	require.Zero(t, start(t, setting).stop(t))
}

// A process that is killed while it writes leaves a part of a state, with personal data.
func TestWhatAKilledProcessHasWrittenIsRemoved(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state")
	require.NoError(t, os.WriteFile(file+".new", []byte(stateMark+"torn"), 0o600))
	s := start(t, "STATE_FILE="+file)
	require.NoFileExists(t, file+".new")
	require.NotContains(t, s.log.String(), "is not used")
	require.Zero(t, s.stop(t))
	require.NoFileExists(t, file+".new")
	require.FileExists(t, file)
}

// An operator learns that a state is lost: the exit code says so.
func TestAStateThatCannotBeWrittenIsReported(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "gone")
	require.NoError(t, os.Mkdir(folder, 0o700))
	s := start(t, "STATE_FILE="+filepath.Join(folder, "state"))
	require.NoError(t, os.RemoveAll(folder))
	require.Equal(t, 1, s.stop(t))
	require.Contains(t, s.log.String(), "STATE_FILE cannot be written, so each client gets a new socket: open ")
}

// The server listens on one socket.
func TestTwoSocketsOfSystemdAreRefused(t *testing.T) {
	t.Setenv("LISTEN_PID", fmt.Sprint(os.Getpid()))
	t.Setenv("LISTEN_FDS", "2")
	var stderr bytes.Buffer
	require.Equal(t, 1, run(process{stdout: io.Discard, stderr: &stderr}))
	require.Equal(t, "signaling-server: systemd has opened 2 sockets, but the server listens on one: let its .socket unit have one ListenStream.\n", stderr.String())
	t.Setenv("LISTEN_PID", "1")
	listener, err := activated()
	require.NoError(t, err)
	require.Nil(t, listener, "they are for another process")
}
