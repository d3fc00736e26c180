package httpapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"signaling-server/access"
	"signaling-server/sse"
)

const accessSecret = "a secret of a test, known to its back end"

// withAccessTokens makes a test's server require access tokens.
func withAccessTokens(t *testing.T) func(*setup) {
	verifier, err := access.NewVerifier(t.Context(), access.Keys{Secret: []byte(accessSecret)}, nil)
	require.NoError(t, err)
	return func(u *setup) { u.API.Access = verifier }
}

// accessToken makes an access token as an application's back end would. It may have
// further claims.
func accessToken(t *testing.T, roomID, userID string, further jwt.MapClaims) string {
	claims := jwt.MapClaims{"sub": userID, "room": roomID, "exp": time.Now().Add(time.Hour).Unix()}
	for name, value := range further {
		claims[name] = value
	}
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(accessSecret))
	require.NoError(t, err)
	return token
}

func joinWith(token, roomID, userID string) string {
	return fmt.Sprintf(`{"type":"join-room","roomId":%q,"userId":%q,"accessToken":%q}`, roomID, userID, token)
}

// The tests of package access show which tokens are valid. These tests show what a client
// with or without a valid token may do.
func TestAClientWithoutAnAccessTokenForTheRoomCannotJoin(t *testing.T) {
	s := newServer(t, sse.Options{}, 100, withAccessTokens(t))
	member := s.connect(t)
	member.send(joinWith(accessToken(t, "ward-*", "Ada", nil), "ward-7", "Ada"))
	member.next("room-joined")

	stranger := s.connect(t)
	for detail, event := range map[string]string{
		"you need an access token": `{"type":"join-room","roomId":"ward-7","userId":"Eve"}`,
		"is not valid":             joinWith("eyJhbGciOiJub25lIn0.e30.", "ward-7", "Eve"),
		"has expired":              joinWith(accessToken(t, "ward-7", "Eve", jwt.MapClaims{"exp": time.Now().Add(-time.Minute).Unix()}), "ward-7", "Eve"),
		"for another room":         joinWith(accessToken(t, "ward-8", "Eve", nil), "ward-7", "Eve"),
		"for another user":         joinWith(accessToken(t, "ward-*", "Bob", nil), "ward-7", "Eve"),
	} {
		problem := stranger.refuse(http.StatusForbidden, "access-denied", event)
		require.Contains(t, problem["detail"], detail)
		require.NotContains(t, problem["detail"], accessSecret)
	}
	stranger.refuse(http.StatusConflict, "not-in-room", `{"type":"signal","data":1}`)
	member.quiet()
}

func TestAnAccessTokenSaysWhatItsBearerMayDo(t *testing.T) {
	s := newServer(t, sse.Options{}, 100, withAccessTokens(t))
	enter := func(userID string, further jwt.MapClaims) *peer {
		p := s.connect(t)
		p.send(joinWith(accessToken(t, "lecture", userID, further), "lecture", userID))
		p.next("room-joined")
		return p
	}
	ada := enter("Ada", nil)
	watcher := enter("Watcher", jwt.MapClaims{"can": []string{"observe"}})
	ada.next("user-connected")
	for _, event := range []string{
		fmt.Sprintf(`{"type":"signal","target":%q,"data":1}`, ada.socketID),
		`{"type":"signal","data":1}`, `{"type":"send-message","message":"hello"}`, `{"type":"typing-start"}`,
	} {
		problem := watcher.refuse(http.StatusForbidden, "access-denied", event)
		require.Contains(t, problem["detail"], "does not allow")
	}
	ada.send(`{"type":"send-message","message":"hello"}`)
	watcher.next("new-message")
	ada.next("new-message")

	late := s.connect(t)
	late.refuse(http.StatusConflict, "room-full", joinWith(accessToken(t, "lecture", "Late", jwt.MapClaims{"max": 2}), "lecture", "Late"))
	ada.quiet()
}

// An access token is for the server only. No member of the room may receive it.
func TestAnAccessTokenIsSentToNobody(t *testing.T) {
	s := newServer(t, sse.Options{}, 100, withAccessTokens(t))
	ada, bob := s.connect(t), s.connect(t)
	token := accessToken(t, "room", "Ada", nil)
	bob.send(joinWith(accessToken(t, "room", "Bob", nil), "room", "Bob"))
	ada.send(joinWith(token, "room", "Ada"))
	for _, told := range []string{bob.next("room-joined").data, bob.next("user-connected").data, ada.next("room-joined").data} {
		require.NotContains(t, told, token)
		require.False(t, strings.Contains(told, "accessToken"))
	}
}
