package server_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signaling-server/server"
)

// What comes too late for the state is refused, so that the client asks the next process.
func TestNothingIsAcceptedThatTheStateDoesNotHold(t *testing.T) {
	s, err := server.New(server.Options{HandsOver: true, ClientMemory: 1 << 30})
	require.NoError(t, err)
	web := httptest.NewUnstartedServer(s.Handler())
	serve(t, web)
	token := opened(t, web)
	ask := func(web *httptest.Server, method, path, body string) (int, string) {
		r, err := http.NewRequest(method, web.URL+path, strings.NewReader(body))
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Content-Type", "application/json")
		response, err := web.Client().Do(r)
		require.NoError(t, err)
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		return response.StatusCode, string(text)
	}
	status, text := ask(web, http.MethodPost, "/events", `{"type":"join-room","roomId":"lobby","userId":"Ada"}`)
	require.Equal(t, http.StatusAccepted, status, text)
	require.NoError(t, s.Drain(t.Context()))
	status, text = ask(web, http.MethodPost, "/events", `{"type":"send-message","message":"in time"}`)
	require.Equal(t, http.StatusAccepted, status, text)

	state := s.State()
	for path, body := range map[string]string{
		"/events":       `{"type":"send-message","message":"too late"}`,
		"/events/batch": `{"events":[{"type":"send-message","message":"too late"}]}`,
	} {
		status, text = ask(web, http.MethodPost, path, body)
		require.Equal(t, http.StatusServiceUnavailable, status, text)
		require.Contains(t, text, "/problems/not-ready")
	}
	status, text = ask(web, http.MethodGet, "/events/poll?wait=0", "")
	require.Equal(t, http.StatusServiceUnavailable, status, text)

	next, err := server.New(server.Options{HandsOver: true, ClientMemory: 1 << 30})
	require.NoError(t, err)
	require.NoError(t, next.Restore(state))
	web = httptest.NewUnstartedServer(next.Handler())
	serve(t, web)
	status, text = ask(web, http.MethodGet, "/events/poll?wait=0", "")
	require.Equal(t, http.StatusOK, status, text)
	require.Contains(t, text, "in time")
	require.NotContains(t, text, "too late")
	status, text = ask(web, http.MethodGet, "/rooms", "")
	require.Equal(t, http.StatusOK, status, text)
	require.Contains(t, text, `"lobby"`)
}

// opened opens a socket by a poll, and returns its token.
func opened(t *testing.T, web *httptest.Server) (token string) {
	_, rest, found := strings.Cut(read(t, web, "/events/poll"), `"token":"`)
	require.True(t, found)
	token, _, _ = strings.Cut(rest, `"`)
	return token
}
