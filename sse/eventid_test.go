package sse_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signaling-server/sse"
)

func TestTheSocketIDIsDerivedFromTheTokensText(t *testing.T) {
	token := sse.NewToken()
	sum := sha256.Sum256([]byte(token.Secret()))
	require.Equal(t, base64.RawURLEncoding.EncodeToString(sum[:16]), token.SocketID())
	require.Len(t, token.Secret(), 22)
	require.Len(t, token.SocketID(), 22)
	require.NotEqual(t, token, sse.NewToken())
}

func TestATokenNeverPrintsItsSecret(t *testing.T) {
	token := sse.NewToken()
	id := sse.EventID{Token: token, Sequence: 1}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "token", token, "id", id)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "token", token, "id", id)
	asJSON, err := json.Marshal(map[string]any{"token": token, "id": id})
	require.NoError(t, err)
	printed := log.String() + string(asJSON) +
		fmt.Sprint(token, id, &token, &id) + fmt.Sprintf("%v %+v %#v %s %q %v %#v", token, token, token, token, token, id, id)
	require.NotContains(t, printed, token.Secret())
	require.Contains(t, printed, "[secret]")
}

func TestOnlyEventIDsThatTheServerWritesAreRead(t *testing.T) {
	secret := sse.NewToken().Secret()
	for _, text := range []string{secret + ".0", secret + ".17", secret + ".9007199254740991"} {
		id, ok := sse.ParseEventID(text)
		require.True(t, ok, text)
		require.Equal(t, text, fmt.Sprintf("%s.%d", id.Token.Secret(), id.Sequence))
	}
	for _, text := range []string{
		"", ".", "5", secret, secret + ".", "." + secret, secret + ".-1", secret + ".+1", secret + ".01", secret + ". 1", secret + ".1 ",
		secret + ".1.1", secret + ".0x1", secret + ".1e3", secret + ".9007199254740992", secret + ".99999999999999999999",
		secret + ".1\n", " " + secret + ".1", secret[:21] + ".1", secret + "A.1", strings.Repeat("=", 22) + ".1", secret[:21] + "\n.1",
		secret[:21] + "B.1", // its last bits are unused and not zero: the server never writes it
	} {
		_, ok := sse.ParseEventID(text)
		require.False(t, ok, "%q", text)
	}
}

func FuzzParseEventID(f *testing.F) {
	secret := sse.NewToken().Secret()
	for _, text := range []string{"", secret + ".0", secret + ".1844674407370955161", secret + ".007", "..", "\x00.1", secret + ".\u0661"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		id, ok := sse.ParseEventID(text)
		if !ok {
			return
		}
		if again := fmt.Sprintf("%s.%d", id.Token.Secret(), id.Sequence); again != text {
			t.Fatalf("%q was read as %q", text, again)
		}
	})
}
