package httpapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signaling-server/sse"
)

// beacon posts as navigator.sendBeacon does.
func (s *server) beacon(t *testing.T, body string) (status int) {
	t.Helper()
	status, _ = s.beaconWith(t, body, nil)
	return status
}

func (s *server) beaconWith(t *testing.T, body string, headers map[string]string) (status int, answer map[string]any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/events", strings.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "text/plain;charset=UTF-8")
	for name, value := range headers {
		r.Header.Set(name, value)
	}
	return s.do(t, r)
}

func TestABeaconSendsAsTheSocketOfItsToken(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	a, b := s.join(t, "room", "Ada"), s.join(t, "room", "Bob")
	a.next("user-connected")
	require.Equal(t, http.StatusAccepted, s.beacon(t, fmt.Sprintf(`{"token":%q,"type":"send-message","message":"bye"}`, b.token)))
	require.Equal(t, b.socketID, a.next("new-message").json["socketId"])
	require.Equal(t, http.StatusAccepted, s.beacon(t, fmt.Sprintf(` {"type":"disconnect", "token" : %q } `, b.token)))
	require.Equal(t, "client disconnect", a.next("user-disconnected").json["reason"])
}

// Some events are relayed as their sender wrote them. They must not contain the token.
func TestABeaconsTokenReachesNobody(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	a, b := s.join(t, "room", "Ada"), s.join(t, "room", "Bob")
	a.next("user-connected")
	for _, format := range []string{
		`{"token":%q,"type":"offer","target":%q,"offer":{"type":"offer","sdp":"v=0"},"mine": 1}`,
		`{"\u0074oken":%q,"type":"offer","target":%q,"offer":{"type":"offer","sdp":"v=0"},"mine": 1}`,
	} {
		require.Equal(t, http.StatusAccepted, s.beacon(t, fmt.Sprintf(format, b.token, a.socketID)))
		heard := a.next("offer")
		require.NotContains(t, heard.data, b.token)
		require.NotContains(t, heard.json, "token")
		require.EqualValues(t, 1, heard.json["mine"])
	}
}

func TestABeaconsTokenIsCheckedLikeTheAuthorizationHeader(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	a := s.join(t, "room", "Ada")
	nobody := sse.NewToken()
	for _, body := range []string{
		`{"type":"disconnect"}`,
		`{"type":"disconnect","token":null}`,
		`{"type":"disconnect","token":7}`,
		`{"type":"disconnect","token":{"token":"` + a.token + `"}}`,
		`{"type":"disconnect","token":"` + a.token + `x"}`,
		`{"type":"disconnect","token":"` + a.socketID + `"}`,
		`{"type":"disconnect","Token":"` + a.token + `"}`,
		`{"type":"disconnect","token":"` + a.token + `","token":"` + a.token + `"}`,
		`{"type":"disconnect","token":"` + nobody.Secret() + `"}`,
	} {
		status, answer := s.beaconWith(t, body, nil)
		require.Equal(t, http.StatusUnauthorized, status, body)
		require.Equal(t, "/problems/unknown-session", answer["type"], body)
		require.NotContains(t, fmt.Sprint(answer), a.token)
	}
	for body, want := range map[string]int{
		`{"type":`: http.StatusBadRequest,
		`[]`:       http.StatusUnprocessableEntity,
		`{"type":"nonsense","token":"` + a.token + `"}`:                         http.StatusUnprocessableEntity,
		`{"token":"` + a.token + `","x":"` + strings.Repeat("x", 64<<10) + `"}`: http.StatusRequestEntityTooLarge,
	} {
		require.Equal(t, want, s.beacon(t, body), body[:min(len(body), 80)])
	}
	a.quiet()
}

// A client that can set Authorization can set Content-Type too. So a client that sends
// both Authorization and plain text has forgotten the type, and the problem says so.
func TestABodyOfPlainTextIsABeaconOnlyWithoutAuthorization(t *testing.T) {
	s := newServer(t, sse.Options{}, 100)
	a := s.join(t, "room", "Ada")
	body := fmt.Sprintf(`{"type":"disconnect","token":%q}`, a.token)
	status, answer := s.beaconWith(t, body, map[string]string{"Authorization": "Bearer " + a.token})
	require.Equal(t, http.StatusUnsupportedMediaType, status)
	require.Contains(t, answer["detail"], "Content-Type: application/json")
	status, _ = s.beaconWith(t, body, map[string]string{"Content-Type": "application/x-www-form-urlencoded"})
	require.Equal(t, http.StatusUnauthorized, status)
	a.quiet()
}
