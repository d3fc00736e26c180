package httpapi_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/iceservers"
	"signaling-server/sse"
	"signaling-server/webhooks"
)

// logbook is a log that several goroutines may write at once.
type logbook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logbook) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(line)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// The log, the metrics, the monitoring and problems must not contain a secret. A person who
// reads them must not be able to act as a socket, as a user of a room, or as an operator.
func TestNoSecretIsShownToAnybodyElse(t *testing.T) {
	log := new(logbook)
	logger := slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	const turnSecret, hookSecret = "the secret of the TURN server", "the secret that webhooks are signed with"
	const hookAddress = "http://hook-user:hook-password@127.0.0.1:1/hook-path?hook-key"
	s := newServer(t, sse.Options{Logger: logger}, 100, withAccessTokens(t), withAdminToken, func(u *setup) {
		u.API.ICEServers = iceservers.Provider{TURN: []string{"turn:turn.example.com"}, Secret: turnSecret, TTL: time.Hour}
		u.Webhooks = &webhooks.Options{URL: hookAddress, Secrets: [][]byte{[]byte(hookSecret)}, Logger: logger}
	})
	access := accessToken(t, "room", "Ada", nil)
	p, other := s.connect(t), s.connect(t)
	p.send(joinWith(access, "room", "Ada"))
	p.next("room-joined")
	other.send(joinWith(accessToken(t, "room", "Bob", nil), "room", "Bob"))
	other.next("room-joined")
	p.next("user-connected")

	var told strings.Builder
	ask := func(method, path, body string, headers ...string) {
		r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
		require.NoError(t, err)
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		response, err := s.Client().Do(r)
		require.NoError(t, err)
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		fmt.Fprintf(&told, "%s %v\n", text, response.Header)
	}
	bearer, operator, isJSON := "Bearer "+p.token, "Bearer "+adminToken, "application/json"
	require.Eventually(t, func() bool { return strings.Contains(log.String(), "the receiver of webhooks does not accept one") }, patience, 10*time.Millisecond)
	for _, path := range []string{"/rooms", "/rooms/room", "/connections", "/stats", "/metrics", "/webhooks"} {
		ask(http.MethodGet, path, "", "Authorization", operator)
		ask(http.MethodGet, path, "", "Authorization", bearer)
	}
	ask(http.MethodGet, "/debug/pprof/", "", "Authorization", operator)
	ask(http.MethodPut, "/revocations/tokens/"+access, "", "Authorization", operator) // once it was accepted in place of its jti
	ask(http.MethodGet, "/revocations", "", "Authorization", operator)
	for _, secret := range []string{p.token, p.lastID, access, adminToken} { // once the path was logged as it came
		ask(http.MethodGet, "/events/"+secret, "")
		ask(http.MethodGet, "/"+secret+"/events", "")
	}
	ask(http.MethodGet, "/health?token="+p.token, "")
	ask(http.MethodGet, "/nothing?"+p.token, "", "Authorization", bearer)
	ask(http.MethodGet, "/doctor.json?lastEventId="+p.lastID, "", "Authorization", bearer, "Last-Event-ID", p.lastID, "X-Access-Token", access)
	ask(http.MethodGet, "/events/poll?wait=-1&after="+p.lastID, "", "Authorization", bearer)
	for _, body := range []string{`{"type":"` + p.token + `"}`, `{"type":"signal","target":"` + p.token + `","data":1}`, p.token} {
		ask(http.MethodPost, "/events", body, "Authorization", bearer, "Content-Type", isJSON)
	}
	ask(http.MethodPost, "/events", `{"type":"ping","token":"`+p.token+`","x":1}`, "Content-Type", "text/plain")
	ask(http.MethodPost, "/events", `{"type":"join-room","roomId":"r","userId":"u","accessToken":"`+access+`"}`, "Authorization", bearer, "Content-Type", isJSON)
	ask(http.MethodPost, "/events/batch", `{"events":[{"type":"ping","token":"`+p.token+`"}]}`, "Authorization", bearer, "Content-Type", isJSON)
	again := s.stream(t, http.MethodGet, "/events?lastEventId="+p.lastID, nil)
	require.Equal(t, true, again.next("connected").json["resumed"])
	again.hangUp()
	require.Eventually(t, func() bool { return strings.Contains(log.String(), `"query":"lastEventId=[hidden]"`) }, patience, 10*time.Millisecond)

	for _, secret := range []string{
		p.token, other.token, access, adminToken, turnSecret, accessSecret,
		hookSecret, base64.StdEncoding.EncodeToString([]byte(hookSecret)), "hook-user", "hook-password", "hook-path", "hook-key",
	} {
		require.NotContains(t, log.String(), secret)
		require.NotContains(t, told.String(), secret)
	}
	for _, wanted := range []string{`"query":"[hidden]=[hidden]"`, `"path":"/health"`, `"path":"/events/[hidden]"`, `"status":404`, `"query":"after=[hidden]&wait=[hidden]"`} {
		require.Contains(t, log.String(), wanted)
	}
}
