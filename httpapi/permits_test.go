package httpapi_test

import (
	"fmt"
	"log/slog"
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
	verifier, err := access.NewVerifier(t.Context(), access.Options{Keys: access.Keys{Secret: []byte(accessSecret)}})
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

// The back end that issues tokens learns from the problem and from the log what is wrong
// with them. A client that only guesses a token learns nothing, and leaves no line.
func TestTheClaimAtFaultIsInTheProblemAndInTheLog(t *testing.T) {
	log := new(logbook)
	s := newServer(t, sse.Options{Logger: slog.New(slog.NewTextHandler(log, nil))}, 100, withAccessTokens(t))
	p := s.connect(t)
	for fault, further := range map[string]jwt.MapClaims{
		"“exp” must be a number: seconds since 1970, and seems to be in milliseconds": {"exp": time.Now().Add(time.Hour).UnixMilli()},
		"“exp” must be a number: seconds since 1970":                                  {"exp": "tomorrow"},
		"“nbf” is 2099-01-01T00:00:00Z, and the server's clock shows ":                {"nbf": time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC).Unix()},
		"“max” must be a whole number from 1":                                         {"max": "12"},
		"“sub” is not the userId of this event":                                       {"sub": "canary"},
		"“room” is not for the roomId of this event":                                  {"room": "canary"},
	} {
		problem := p.refuse(http.StatusForbidden, "access-denied", joinWith(accessToken(t, "ward-7", "Eve", further), "ward-7", "Eve"))
		require.Contains(t, problem["detail"], fault)
		require.Contains(t, log.String(), fault)
		require.NotContains(t, fmt.Sprint(problem)+log.String(), "canary")
	}
	require.Contains(t, log.String(), `level=WARN msg="access denied" socketId=`+p.socketID+" reason=")

	before := log.String()
	unsigned, _, _ := strings.Cut(accessToken(t, "ward-7", "Eve", jwt.MapClaims{"exp": 1e12}), ".")
	for _, token := range []string{"", "x", unsigned + ".e30.", accessToken(t, "ward-7", "Eve", jwt.MapClaims{"exp": 1e12}) + "x"} {
		problem := p.refuse(http.StatusForbidden, "access-denied", joinWith(token, "ward-7", "Eve"))
		require.NotContains(t, problem["detail"], "exp")
	}
	require.Equal(t, before, log.String())
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

// Only the token that is revoked stops working: another token of its user does not.
func TestARevokedAccessTokenOpensNoRoom(t *testing.T) {
	s := newServer(t, sse.Options{}, 100, withAccessTokens(t), withAdminToken)
	lost, own := accessToken(t, "ward-*", "Ada", jwt.MapClaims{"jti": "lost"}), accessToken(t, "ward-*", "Ada", jwt.MapClaims{"jti": "own"})
	thief, ada := s.connect(t), s.connect(t)
	thief.send(joinWith(lost, "ward-7", "Ada"))
	thief.next("room-joined")
	ada.send(joinWith(own, "ward-8", "Ada"))
	ada.next("room-joined")

	s.operate(t, http.StatusNoContent, http.MethodPut, "/revocations/tokens/lost", "")
	require.Equal(t, "kicked", thief.next("disconnected").json["reason"])
	thief.ended()
	refusal := s.connect(t).refuse(http.StatusForbidden, "access-denied", joinWith(lost, "ward-7", "Ada"))
	require.Contains(t, refusal["detail"], "revoked")
	ada.send(joinWith(own, "ward-7", "Ada"))
	ada.next("room-joined")
}
