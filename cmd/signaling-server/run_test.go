package main

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"signaling-server/access"
	"signaling-server/internal/ssetest"
	"signaling-server/internal/version"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// started is a server in this process, on a free loopback port.
type started struct {
	url     string
	signals chan os.Signal
	exited  chan int
	log     *logbook
}

// logbook is a log that a test can read while the server writes it.
type logbook struct {
	mu   sync.Mutex
	text bytes.Buffer
	line chan string
}

func (l *logbook) Write(line []byte) (int, error) {
	l.mu.Lock()
	l.text.Write(line)
	l.mu.Unlock()
	select {
	case l.line <- string(line):
	default: // no test waits for a line
	}
	return len(line), nil
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

var address = regexp.MustCompile(`address=(https?://\S+|unix:\S+)`)

// patience is how long a test waits before it fails because the server hangs. No
// assertion about time depends on it.
const patience = time.Minute

// outOfTime is what the log says if the server stopped before all streams had ended.
const outOfTime = "some streams did not end in time"

func start(t *testing.T, variables ...string) *started {
	t.Helper()
	for _, each := range variables {
		if name, value, _ := strings.Cut(each, "="); strings.HasPrefix(name, "OTEL_") {
			t.Setenv(name, value) // the SDK of OpenTelemetry reads some itself
		}
	}
	s := &started{signals: make(chan os.Signal, 2), exited: make(chan int, 1), log: &logbook{line: make(chan string, 64)}}
	go func() { // ends with the server
		s.exited <- run(process{
			environment: append([]string{"PORT=0", "HOST=127.0.0.1"}, variables...),
			stdout:      io.Discard,
			stderr:      s.log,
			signals:     s.signals,
		})
	}()
	for {
		select {
		case line := <-s.log.line:
			if strings.Contains(line, "the state of the process before") {
				continue
			}
			found := address.FindStringSubmatch(line)
			require.NotNil(t, found, "%s", line)
			s.url = found[1]
			return s
		case <-time.After(patience):
			require.Fail(t, "the server does not start")
		}
	}
}

// stop stops the server by a signal and waits until it has stopped.
func (s *started) stop(t *testing.T) (exitCode int) {
	t.Helper()
	s.signals <- syscall.SIGTERM
	select {
	case code := <-s.exited:
		http.DefaultClient.CloseIdleConnections()
		return code
	case <-time.After(patience):
		require.Fail(t, "the server does not stop")
		return -1
	}
}

// open opens a stream and reads it up to the first heartbeat. It reads bare bytes, since
// tests judge how an answer ends on the connection.
func (s *started) open(t *testing.T) (connection net.Conn, stream *bufio.Reader, token string) {
	t.Helper()
	connection, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	require.NoError(t, err)
	t.Cleanup(func() { connection.Close() })
	fmt.Fprint(connection, "GET /events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nConnection: close\r\n\r\n")
	stream = bufio.NewReader(connection)
	for {
		line, err := stream.ReadString('\n')
		require.NoError(t, err)
		if _, rest, found := strings.Cut(line, `"token":"`); found {
			token = rest[:22]
		}
		if strings.Contains(line, `"type":"heartbeat"`) {
			return connection, stream, token
		}
	}
}

func (s *started) post(t *testing.T, token, body string) int {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, s.url+"/events", strings.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body) // or the next post needs a new connection
	require.NoError(t, err)
	return response.StatusCode
}

func TestTheLogSaysWhereToLookAndWhichClientsComeAndGo(t *testing.T) {
	s := start(t)
	_, _, token := s.open(t)
	require.Equal(t, http.StatusAccepted, s.post(t, token, `{"type":"join-room","roomId":"room 1","userId":"Ada"}`))
	require.Equal(t, http.StatusAccepted, s.post(t, token, `{"type":"leave-room"}`))
	require.Equal(t, http.StatusAccepted, s.post(t, token, `{"type":"disconnect"}`))
	require.Zero(t, s.stop(t))
	log := s.log.String()
	for _, want := range []string{
		"signaling server is ready", "landing page url=" + s.url + "/\n", "url=" + s.url + "/demo/", "url=" + s.url + "/doctor/", "url=" + s.url + "/dashboard/", "url=" + s.url + "/health", "url=" + s.url + "/rooms",
		"url=" + s.url + "/stats", "socket connected", `room joined roomId="room 1" userId=Ada`, "room left", "socket disconnected", `reason="client disconnect"`,
		"stopping signal=terminated", "stopped",
	} {
		require.Contains(t, log, want)
	}
	require.NotContains(t, log, token)
}

func TestInProductionTheLogIsJSON(t *testing.T) {
	var log bytes.Buffer
	newLogger(&log, config{LogLevel: "info", Environment: "production"}).Info("x", "a", 1)
	require.Regexp(t, `^\{.*"msg":"x","a":1\}`, log.String())
}

func TestALogLineCannotBeForged(t *testing.T) {
	var log bytes.Buffer
	newLogger(&log, config{LogLevel: "info", Environment: "development"}).Info("room joined", "userId", "x\n12:00:00 INF forged \x1b[31m")
	require.Equal(t, 1, strings.Count(log.String(), "\n"), log.String())
	require.NotContains(t, log.String(), "\x1b[31m")
}

func TestHSTSCanBeShortenedAndTurnedOff(t *testing.T) {
	for setting, want := range map[string]time.Duration{"": 0, "HSTS_MAX_AGE=5m": 5 * time.Minute, "HSTS_MAX_AGE=0s": -1} {
		c, err := loadConfig([]string{setting})
		require.NoError(t, err)
		require.Equal(t, want, c.strictTransport(), setting)
	}
	_, err := loadConfig([]string{"HSTS_MAX_AGE=-1s"})
	require.ErrorContains(t, err, `HSTS_MAX_AGE is "-1s", but must be a duration from 0s to 87600h`)
}

func TestAListMayEndWithAComma(t *testing.T) {
	c, err := loadConfig([]string{"CORS_ORIGIN=https://a.example, https://b.example,", "TRUSTED_PROXIES=10.0.0.1,\n"})
	require.NoError(t, err)
	require.Equal(t, []string{"https://a.example", "https://b.example"}, c.CORSOrigins)
	require.Equal(t, []string{"10.0.0.1"}, c.TrustedProxies)
}

func TestATakenPortIsReportedInOneSentence(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	port := fmt.Sprint(taken.Addr().(*net.TCPAddr).Port)
	var stderr bytes.Buffer
	code := run(process{environment: []string{"HOST=127.0.0.1", "PORT=" + port}, stdout: io.Discard, stderr: &stderr})
	require.Equal(t, 1, code)
	require.Equal(t, "signaling-server: port "+port+" of 127.0.0.1 is in use by another program: stop that program, or set PORT to a free port.\n", stderr.String())
}

// Most systems keep the ports below 1024 for root, and ACME_DOMAINS needs port 443.
func TestAPortForRootIsRefusedWithTheWaysToGetIt(t *testing.T) {
	for _, port := range []int{443, 80} {
		err := listenError(config{Port: port, ACMEDomains: []string{"signaling.example.com"}}, fmt.Errorf("bind: %w", syscall.EACCES))
		require.EqualError(t, err, fmt.Sprintf("only privileged users may listen on port %[1]d: set PORT to a port above 1023 and forward port %[1]d to it, or, on Linux, allow it by “setcap cap_net_bind_service=+ep” on the program's file or by “sysctl net.ipv4.ip_unprivileged_port_start=%[1]d”", port))
	}
}

func TestAnInvalidValueIsReportedInOneSentence(t *testing.T) {
	for variable, want := range map[string]string{
		"PORT=http":                       `PORT is "http", but must be a port number from 0 (any free port) to 65535`,
		"PORT=65536":                      `PORT is "65536", but must be a port number from 0 (any free port) to 65535`,
		"PORT=-1":                         `PORT is "-1", but must be a port number`,
		"HOST=not a host":                 `HOST is "not a host", but must be an IP address`,
		"CORS_ORIGIN=example.com":         `CORS_ORIGIN cannot be used: "example.com" has no scheme: write https://example.com`,
		"CORS_ORIGIN=https://a.com/x":     `CORS_ORIGIN cannot be used: "https://a.com/x" has more than a scheme, a host and a port: write https://a.com`,
		"CORS_ORIGIN=,":                   `CORS_ORIGIN cannot be used: "" is not an origin`,
		"CORS_ORIGIN=https://a.com,*.b":   `CORS_ORIGIN cannot be used: "*.b" has no scheme: write https://*.b`,
		"SHUTDOWN_TIMEOUT=10":             `SHUTDOWN_TIMEOUT is "10", but must be a duration from 0s to 1h`,
		"RESUME_WINDOW=1ms":               `RESUME_WINDOW is "1ms", but must be a duration from 1s to 1h`,
		"HEARTBEAT_INTERVAL=never":        `HEARTBEAT_INTERVAL is "never", but must be a duration from 1s to 10m`,
		"MAX_CONNECTIONS=0":               `MAX_CONNECTIONS is "0", but must be a whole number from 1`,
		"LOG_LEVEL=loud":                  `LOG_LEVEL is "loud", but must be debug, info, warn or error`,
		"ENVIRONMENT=a\nb":                `ENVIRONMENT is "a\nb", but must be a word`,
		"TRUSTED_PROXIES=10.0.0.0/8,x":    `TRUSTED_PROXIES is "10.0.0.0/8,x", but must be a comma-separated list of networks`,
		"TLS_CERT=cert.pem":               `TLS_KEY is not set, but must be the path of a file in PEM, together with TLS_CERT`,
		"TLS_KEY=key.pem":                 `TLS_CERT is not set, but must be`,
		"ACME_DOMAINS=no name":            `ACME_DOMAINS is "no name", but must be`,
		"TURN_URLS=turn:a":                `TURN_SECRET is not set, but must be the secret of the servers`,
		"ICE_SERVERS=hush":                `ICE_SERVERS cannot be used: it is a JSON array`,
		`ICE_SERVERS={"url":"turn:hush"}`: `ICE_SERVERS cannot be used: server 1: username is missing`,
		"ADMIN_TOKEN=hush":                `ADMIN_TOKEN must be 16 visible ASCII characters or more`,
		"ADMIN_TOKEN=hush hush hush hush": `ADMIN_TOKEN must be 16 visible`,
		"ACCESS_SECRET=hush":              `ACCESS_SECRET must be 32 characters or more`,
		"ACCESS_PUBLIC_KEY=hush":          `ACCESS_PUBLIC_KEY cannot be used: it is neither a public key in PEM nor the path of a file with one`,
		"ACCESS_PUBLIC_KEY=run_test.go":   `ACCESS_PUBLIC_KEY cannot be used: a public key is one block of PEM`,
		"ACCESS_PUBLIC_KEY=.":             `ACCESS_PUBLIC_KEY cannot be used: it is neither`,
		"ACCESS_JWKS_URL=ftp://hush":      `ACCESS_JWKS_URL must be an address of http or https`,
		"ACCESS_AUDIENCE=a":               `ACCESS_AUDIENCE is "a", but must be a comma-separated list such as https://signaling.example.com, together with ACCESS_SECRET`,
		"ACCESS_ISSUER=a":                 `ACCESS_ISSUER is "a", but must be`,
		"ACCESS_ENFORCE_EXPIRY=true":      `ACCESS_ENFORCE_EXPIRY is "true", but must be true, together with ACCESS_SECRET, ACCESS_PUBLIC_KEY or ACCESS_JWKS_URL, or false`,
		"MAX_BODY=1024":                   `MAX_BODY is "1024", but must be a number of bytes from 65536`,
		"BODY_TIMEOUT=5s":                 `BODY_TIMEOUT is "5s", but must be a duration from HEADER_TIMEOUT`,
		"H2C=perhaps":                     `H2C is "perhaps", but must be true or false`,
		"HOST=unix:":                      `HOST is "unix:", but must be an IP address or a host name of this machine, or a path such as unix:/run/signaling.sock`,
		"HOST=unix:signaling.sock":        `HOST is "unix:signaling.sock", but must be`,
		"HOST=/run/signaling.sock":        `HOST is "/run/signaling.sock", but must be`,
		"HOST=unix:/nowhere/sock":         `cannot listen on the Unix socket /nowhere/sock: listen unix /nowhere/sock: bind: no such file or directory`,
		"HOST=unix:/etc/passwd":           `/etc/passwd exists, and is not a socket: remove it, or set HOST to another path`,
		"SOCKET_MODE=rw":                  `SOCKET_MODE is "rw", but must be an octal number from 0000 to 0777`,
		"SOCKET_MODE=1777":                `SOCKET_MODE is "1777", but must be`,
		"TRUSTED_PROXIES=unix:/run/x":     `TRUSTED_PROXIES is "unix:/run/x", but must be`,
		"PROXY_PROTOCOL=true":             `TRUSTED_PROXIES is not set, but must be a comma-separated list`,
		"PROXY_PROTOCOL=v2":               `PROXY_PROTOCOL is "v2", but must be true, together with TRUSTED_PROXIES, or false`,
		"IDLE_TIMEOUT=600":                `IDLE_TIMEOUT is "600", but must be a duration from 1s to 1h`,
		"IDLE_TIMEOUT=0s":                 `IDLE_TIMEOUT is "0s", but must be`,
		"IDLE_TIMEOUT=2h":                 `IDLE_TIMEOUT is "2h", but must be`,
		"MAX_HEADER=4095":                 `MAX_HEADER is "4095", but must be a number of bytes from 4096 to 262144`,
		"MAX_HEADER=2097152":              `MAX_HEADER is "2097152", but must be`,
		"MAX_HEADER=32k":                  `MAX_HEADER is "32k", but must be`,
	} {
		var stderr bytes.Buffer
		code := run(process{environment: []string{variable}, stdout: io.Discard, stderr: &stderr})
		require.Equal(t, 1, code, variable)
		require.Contains(t, stderr.String(), want)
		require.Equal(t, 1, strings.Count(stderr.String(), "\n"))
		require.NotContains(t, stderr.String(), "hush", "no part of a secret is repeated")
	}
	var stderr bytes.Buffer
	require.Equal(t, 1, run(process{args: []string{"start"}, stdout: io.Discard, stderr: &stderr}))
	require.Contains(t, stderr.String(), `"start" is not a command`)
}

func TestTheAudiencesAndIssuersOfTheSettingsAreDemanded(t *testing.T) {
	const secret = "ACCESS_SECRET=a secret of thirty-two bytes or more"
	for _, empty := range []string{"ACCESS_AUDIENCE=a,,b", "ACCESS_AUDIENCE= ", "ACCESS_ISSUER=,"} {
		_, err := loadConfig([]string{secret, empty})
		require.ErrorContains(t, err, "but must be a comma-separated list", empty)
	}
	c, err := loadConfig([]string{secret, "ACCESS_AUDIENCE=a, b", "ACCESS_ISSUER=i"})
	require.NoError(t, err)
	o, err := newOptions(c, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	for audience, wanted := range map[string]string{"a": "", "b": "", "c": "another audience"} {
		token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
			"sub": "Ada", "room": "lobby", "exp": time.Now().Add(time.Hour).Unix(), "iss": "i", "aud": audience,
		}).SignedString([]byte(c.AccessSecret))
		require.NoError(t, err)
		_, err = o.Access.Verify(token, "lobby", "Ada")
		var denial *access.Denial
		if wanted == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorAs(t, err, &denial)
		require.Contains(t, denial.Sentence(), wanted)
	}
}

func TestTheLogWarnsOfWhatIsAroundASetting(t *testing.T) {
	const good = "hush hush hush hush hush hush hush hush"
	for _, c := range []struct {
		c    config
		warn string
	}{
		{config{AccessSecret: good}, ""},
		{config{AccessSecret: good + "\n"}, "ACCESS_SECRET"},
		{config{AccessSecret: `"` + good + `"`}, "ACCESS_SECRET"},
		{config{AccessSecret: good, AccessIssuers: []string{"https://a", "'https://b'"}}, "ACCESS_ISSUER"},
		{config{AccessSecret: good, AccessAudiences: []string{`"a`, `b"`}}, "ACCESS_AUDIENCE"},
		{config{AdminToken: `"` + good + `"`}, "ADMIN_TOKEN"},
		{config{TURNSecret: " " + good}, "TURN_SECRET"},
	} {
		var log bytes.Buffer
		o, err := newOptions(c.c, slog.New(slog.NewTextHandler(&log, nil)))
		require.NoError(t, err)
		if o.Access != nil {
			o.Access.Close()
		}
		require.Equal(t, c.warn != "", strings.Contains(log.String(), "which is part of it"), log.String())
		require.Contains(t, log.String(), c.warn)
		require.NotContains(t, log.String(), "hush")
	}
}

func TestAPublicKeyIsTextOrTheNameOfAFile(t *testing.T) {
	public, _, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	der, err := x509.MarshalPKIXPublicKey(public)
	require.NoError(t, err)
	text := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	file := filepath.Join(t.TempDir(), "key.pem")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	for _, value := range []string{text, "\n" + text, strings.ReplaceAll(text, "\n", `\n`), file} {
		keys, areAny, err := config{AccessPublicKey: value}.accessKeys()
		require.NoError(t, err, value)
		require.True(t, areAny)
		require.Equal(t, public, keys.PublicKey)
	}
}

func TestTheVariablesOfTheEarlierServerKeepWorking(t *testing.T) {
	c, err := loadConfig(nil)
	require.NoError(t, err)
	require.Equal(t, 3002, c.Port)
	require.Equal(t, []string{"*"}, c.CORSOrigins)
	require.Equal(t, "development", c.Environment)
	require.Equal(t, 10*time.Second, c.ShutdownTimeout)

	c, err = loadConfig([]string{"PORT=8080", "CORS_ORIGIN=https://a.example.com, https://*.example.org,http://localhost:3000", "NODE_ENV=production", "ENVIRONMENT="})
	require.NoError(t, err)
	require.Equal(t, 8080, c.Port)
	require.Equal(t, []string{"https://a.example.com", "https://*.example.org", "http://localhost:3000"}, c.CORSOrigins)
	require.Equal(t, "production", c.Environment)

	c, err = loadConfig([]string{"NODE_ENV=production", "ENVIRONMENT=staging"})
	require.NoError(t, err)
	require.Equal(t, "staging", c.Environment)
}

// The version is printed whatever the settings are.
func TestTheBinaryPrintsItsVersion(t *testing.T) {
	for _, flag := range []string{"-version", "--version", "version"} {
		var stdout bytes.Buffer
		require.Zero(t, run(process{args: []string{flag}, environment: []string{"PORT=wrong"}, stdout: &stdout, stderr: io.Discard}))
		require.Equal(t, version.Text("signaling-server")+"\n", stdout.String())
	}
}

func TestHelpNamesEveryVariableWithItsDefault(t *testing.T) {
	var stdout bytes.Buffer
	require.Zero(t, run(process{args: []string{"-h"}, stdout: &stdout, stderr: io.Discard}))
	fields := make(map[string]bool)
	for _, s := range settings() {
		require.False(t, fields[s.field], "a message about %s would name another variable", s.field)
		fields[s.field] = true
		require.NotEmpty(t, s.help)
		require.NotEmpty(t, s.allowed)
		require.Contains(t, stdout.String(), s.name)
		require.Contains(t, stdout.String(), s.help)
	}
	require.Contains(t, stdout.String(), "default: 3002")
}

func TestOnASignalEveryStreamReceivesServerShutdownAndTheServerEnds(t *testing.T) {
	s := start(t, "OPENS_PER_ADDRESS=0", "SHUTDOWN_TIMEOUT=30s")
	var streams []*bufio.Reader
	for range 1000 {
		_, stream, _ := s.open(t)
		streams = append(streams, stream)
	}
	started := time.Now()
	require.Zero(t, s.stop(t))
	require.Less(t, time.Since(started), 30*time.Second)
	require.NotContains(t, s.log.String(), outOfTime)
	for _, stream := range streams {
		text, err := io.ReadAll(stream)
		require.NoError(t, err)
		require.Contains(t, string(text), "event: server-shutdown")
		require.Regexp(t, `\r\n0\r\n\r\n$`, string(text), "a clean end")
	}
}

// The doctor's silent stream would last for three minutes. The server ends it when it
// stops.
func TestASilentStreamDoesNotKeepTheServerFromStopping(t *testing.T) {
	s := start(t, "SHUTDOWN_TIMEOUT=30s")
	connection, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	require.NoError(t, err)
	defer connection.Close()
	require.NoError(t, connection.SetDeadline(time.Now().Add(patience)))
	fmt.Fprint(connection, "GET /silence?seconds=180 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
	stream := bufio.NewReader(connection)
	for line := ""; !strings.Contains(line, "silence-began"); {
		line, err = stream.ReadString('\n')
		require.NoError(t, err)
	}
	began := time.Now()
	require.Zero(t, s.stop(t))
	require.Less(t, time.Since(began), 30*time.Second)
	require.NotContains(t, s.log.String(), outOfTime)
	rest, err := io.ReadAll(stream)
	require.NoError(t, err)
	require.Contains(t, string(rest), `"reason":"server-shutdown"`)
}

// freezeClient connects a client that reads nothing, and sends it more than the kernel
// buffers.
func (s *started) freezeClient(t *testing.T) {
	t.Helper()
	frozen, _, frozenToken := s.open(t)
	require.NoError(t, frozen.(*net.TCPConn).SetReadBuffer(4096))
	_, _, token := s.open(t)
	require.Equal(t, http.StatusAccepted, s.post(t, frozenToken, `{"type":"join-room","roomId":"r","userId":"frozen"}`))
	require.Equal(t, http.StatusAccepted, s.post(t, token, `{"type":"join-room","roomId":"r","userId":"u"}`))
	message := `{"type":"signal","data":"` + strings.Repeat("x", 60_000) + `"}`
	isFrozen := false
	for tries := 0; tries < 60 && !isFrozen; tries++ {
		isFrozen = s.post(t, token, message) == http.StatusTooManyRequests // the sender has used up its share of the outbox
	}
	require.True(t, isFrozen)
}

// A client that reads nothing delays the stop by SHUTDOWN_TIMEOUT at most.
func TestAFrozenClientDoesNotKeepTheServerFromStopping(t *testing.T) {
	s := start(t, "SHUTDOWN_TIMEOUT=1s")
	s.freezeClient(t)
	require.Zero(t, s.stop(t))
	require.Contains(t, s.log.String(), outOfTime, "the server did not wait until the client ended as a slow consumer")
}

// Batches are under way when the signal comes. The events that were accepted arrive, in
// order, and no others. Then server-shutdown arrives.
func TestEventsAcceptedBeforeASignalArrive(t *testing.T) {
	s := start(t)
	_, stream, receiver := s.open(t)
	_, _, token := s.open(t)
	for _, member := range []string{receiver, token} {
		require.Equal(t, http.StatusAccepted, s.post(t, member, `{"type":"join-room","roomId":"r","userId":"u"}`))
	}
	var accepted []string
	number := 0
	for stopping := false; !stopping; {
		var events []string
		for range 64 {
			number++
			events = append(events, fmt.Sprintf(`{"type":"signal","data":"n%d."}`, number))
		}
		r, err := http.NewRequest(http.MethodPost, s.url+"/events/batch", strings.NewReader(`{"events":[`+strings.Join(events, ",")+`]}`))
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Content-Type", "application/json")
		if number == 64*5 {
			s.signals <- syscall.SIGTERM
		}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			break // the server no longer listens
		}
		var answer struct{ Results []struct{ Status int } }
		require.NoError(t, json.NewDecoder(response.Body).Decode(&answer))
		response.Body.Close()
		for i, result := range answer.Results {
			if result.Status == http.StatusAccepted {
				require.False(t, stopping, "no event is accepted after a refused event")
				accepted = append(accepted, fmt.Sprintf("n%d.", number-63+i))
			} else {
				stopping = true
			}
		}
		stopping = stopping || response.StatusCode != http.StatusOK
	}
	text, err := io.ReadAll(stream)
	require.NoError(t, err)
	require.Zero(t, <-s.exited)
	http.DefaultClient.CloseIdleConnections()
	require.Equal(t, accepted, regexp.MustCompile(`n\d+\.`).FindAllString(string(text), -1))
	require.Regexp(t, `event: server-shutdown\n(.+\n)+\n\r\n0\r\n\r\n$`, string(text))
	t.Logf("accepted %d of %d", len(accepted), number)
}

// A written event is not yet received. The kernel accepted events for a client, but the
// client did not read them before its connection was reset. The server still has them,
// and the client can resume.
func TestEventsInTheKernelsBufferCanBeResumed(t *testing.T) {
	s := start(t, "EVENTS_PER_SOCKET=0", "POSTS_PER_SOCKET=0", "POSTS_PER_ADDRESS=0")
	stalled, _, stalledToken := s.open(t)
	_, _, token := s.open(t)
	require.Equal(t, http.StatusAccepted, s.post(t, stalledToken, `{"type":"join-room","roomId":"r","userId":"stalled"}`))
	require.Equal(t, http.StatusAccepted, s.post(t, token, `{"type":"join-room","roomId":"r","userId":"u"}`))
	message := `{"type":"signal","data":"` + strings.Repeat("x", 1500) + `"}`
	const count = 600 // these fit into a sender's share of an outbox
	for range count {
		require.Equal(t, http.StatusAccepted, s.post(t, token, message))
	}
	require.NoError(t, stalled.(*net.TCPConn).SetLinger(0))
	require.NoError(t, stalled.Close()) // this resets the connection: the kernel discards what was not read

	r, err := http.NewRequest(http.MethodGet, s.url+"/events", nil)
	require.NoError(t, err)
	r.Header.Set("Last-Event-ID", stalledToken+".0")
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	stream := ssetest.NewReader(response.Body)
	for signals := 0; signals < count; {
		e, err := stream.Next()
		require.NoError(t, err)
		require.NotContains(t, e.Data, `"resumed":false`)
		if e.Type == "signal" {
			signals++
		}
	}
	response.Body.Close()
	require.Zero(t, s.stop(t))
}

// Clients may go at any time. The log must not warn an operator about it.
func TestAClientThatResetsItsConnectionIsNotAnError(t *testing.T) {
	s := start(t, "MAX_CONNECTIONS=10", "MEMORY_LIMIT=1099511627776") // a limit that clients cannot exceed
	for range 20 {
		connection, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		require.NoError(t, err)
		fmt.Fprint(connection, strings.Repeat("GET /openapi.yaml HTTP/1.1\r\nHost: localhost\r\n\r\n", 20))
		require.NoError(t, connection.(*net.TCPConn).SetLinger(0))
		_, err = connection.Read(make([]byte, 1000))
		require.NoError(t, err)
		require.NoError(t, connection.Close())
	}
	require.Zero(t, s.stop(t))
	require.NotContains(t, s.log.String(), "ERR")
	require.NotContains(t, s.log.String(), "WRN")
}

// At the start the log says how much memory clients may take at worst. It warns if that
// is more than there is.
func TestTheLogSaysAtTheStartHowMuchClientsMayHoldAtWorst(t *testing.T) {
	for settings, want := range map[string]string{
		"MAX_CONNECTIONS=10 MEMORY_LIMIT=1099511627776": "INF memory for clients",
		"MAX_CONNECTIONS=20000 MEMORY_LIMIT=268435456":  "WRN the limits allow more than the memory for clients",
	} {
		s := start(t, strings.Fields(settings)...)
		require.Zero(t, s.stop(t))
		require.Contains(t, s.log.String(), want)
		require.Contains(t, s.log.String(), "atWorst=")
	}
}

func TestASecondSignalEndsAtOnce(t *testing.T) {
	s := start(t, "SHUTDOWN_TIMEOUT=1h")
	s.freezeClient(t)
	s.signals <- syscall.SIGTERM
	s.stop(t)
	require.Contains(t, s.log.String(), "second signal")
	require.Contains(t, s.log.String(), outOfTime, "the server did not wait until the client ended as a slow consumer")
}

// healthOf runs the health check with these settings, and returns its exit code and what it says.
func healthOf(settings []string, args ...string) (int, string) {
	var stderr bytes.Buffer
	code := run(process{args: append([]string{"healthcheck"}, args...), environment: settings, stdout: io.Discard, stderr: &stderr})
	return code, stderr.String()
}

func TestHealthcheckReportsByItsExitCode(t *testing.T) {
	check := func(s *started, host string, args ...string) (int, string) {
		_, port, err := net.SplitHostPort(strings.TrimPrefix(s.url, "http://"))
		require.NoError(t, err)
		return healthOf([]string{"HOST=" + host, "PORT=" + port}, args...)
	}
	// In the container image no file says what localhost is, so no name is looked up.
	hosts := map[string][]string{"127.0.0.1": {"127.0.0.1", "", "localhost", "0.0.0.0", "::"}}
	if listener, err := net.Listen("tcp6", "[::1]:0"); err == nil {
		listener.Close()
		hosts["::1"] = []string{"::1", "", "localhost", "::"}
	}
	for own, asked := range hosts {
		s := start(t, "HOST="+own)
		for _, host := range asked {
			code, said := check(s, host)
			require.Zero(t, code, "HOST=%s: %s", host, said)
		}
		code, said := check(s, own, "ready")
		require.Zero(t, code, said)
		code, said = check(s, own, "ready", "soon")
		require.Equal(t, 1, code)
		require.Contains(t, said, "no argument but ready")
		require.Zero(t, s.stop(t))
		code, said = check(s, "")
		require.Equal(t, 1, code)
		require.Contains(t, said, "the server does not answer")
		require.NotContains(t, said, "lookup")
	}
}
