package main

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signaling-server/access"
)

const accessSecret = "a secret of more than thirty-two bytes"

// command runs a command to its end.
func command(t *testing.T, environment []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, problems bytes.Buffer
	code = run(process{args: args, environment: environment, stdout: &out, stderr: &problems})
	return code, out.String(), problems.String()
}

func TestAnAccessTokenIsIssued(t *testing.T) {
	settings := []string{"ACCESS_SECRET=" + accessSecret, "ACCESS_AUDIENCE=here,there", "ACCESS_ISSUER=me"}
	code, token, problems := command(t, settings, "token", "-room", "team-*", "-user", "ada", "-max", "3", "-can", "chat", "-for", "10m", "-id", "permit-7")
	require.Zero(t, code, problems)
	verifier, err := access.NewVerifier(t.Context(), access.Options{Keys: access.Keys{Secret: []byte(accessSecret)}, Audiences: []string{"here"}, Issuers: []string{"me"}})
	require.NoError(t, err)
	defer verifier.Close()
	grant, err := verifier.Verify(strings.TrimSpace(token), "team-7", "ada")
	require.NoError(t, err)
	require.Equal(t, 3, grant.MaxMembers)
	require.Equal(t, access.Chat, grant.Can)
	require.Equal(t, "permit-7", grant.ID)
	_, err = verifier.Verify(strings.TrimSpace(token), "team-7", "bob")
	require.Error(t, err)

	code, usage, _ := command(t, nil, "token", "-h")
	require.Zero(t, code)
	require.Contains(t, usage, "-room")
}

func TestAnAccessTokenThatNobodyWouldTakeIsNotIssued(t *testing.T) {
	with := []string{"ACCESS_SECRET=" + accessSecret}
	for args, says := range map[string]string{
		"":                                   "needs a room and a user",
		"-room standup":                      "needs a room and a user",
		"-room standup -user ada more":       "needs a room and a user",
		"-room standup -user ada -x":         "not defined",
		"-room standup -user ada -for 0":     "expired",
		"-room standup -user ada -for -1s":   "expired",
		"-room standup -user ada -max -1":    "“max” must be",
		"-room standup -user ada -can write": "“can” must be",
		"-room standup -user ada -id " + strings.Repeat("x", 257): "256 bytes",
	} {
		code, token, problems := command(t, with, append([]string{"token"}, strings.Fields(args)...)...)
		require.Equal(t, 1, code, args)
		require.Empty(t, token)
		require.Contains(t, problems, says)
		require.NotContains(t, problems, accessSecret)
	}
	code, _, problems := command(t, nil, "token", "-room", "standup", "-user", "ada")
	require.Equal(t, 1, code)
	require.Contains(t, problems, "needs ACCESS_SECRET")
}

func TestAnOperatorTokenLetsItsHolderDoWhatItsScopesSay(t *testing.T) {
	code, text, problems := command(t, nil, "operator-token", "billing", "read,send")
	require.Zero(t, code, problems)
	found := regexp.MustCompile(`\n  ([A-Z0-9]+)\n`).FindStringSubmatch(text)
	require.NotNil(t, found, text)
	token, line := found[1], regexp.MustCompile(`billing read,send sha256:\S+`).FindString(text)
	file := filepath.Join(t.TempDir(), "operators")
	require.NoError(t, os.WriteFile(file, []byte("# who may what\n"+line+"\n"), 0o600))
	for _, setting := range []string{line, file} {
		s := start(t, "OPERATOR_TOKENS="+setting)
		ask := func(method, path, bearer string) int {
			r, err := http.NewRequestWithContext(t.Context(), method, s.url+path, nil)
			require.NoError(t, err)
			r.Header.Set("Authorization", "Bearer "+bearer)
			r.Close = true // no connection is kept
			response, err := http.DefaultClient.Do(r)
			require.NoError(t, err)
			_, _ = io.Copy(io.Discard, response.Body)
			require.NoError(t, response.Body.Close())
			return response.StatusCode
		}
		require.Equal(t, http.StatusOK, ask(http.MethodGet, "/stats", token))
		require.Equal(t, http.StatusForbidden, ask(http.MethodDelete, "/rooms/standup", token))
		require.Equal(t, http.StatusUnauthorized, ask(http.MethodGet, "/stats", "wrong"))
		require.Contains(t, s.log.String(), "operator=billing", "what was refused is in the log")
		require.NotContains(t, s.log.String(), token)
		require.Zero(t, s.stop(t))
	}
}

func TestAWrongOperatorTokenStopsTheStart(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "operators")
	require.NoError(t, os.WriteFile(empty, []byte("# nobody yet\n"), 0o600))
	for value, says := range map[string]string{
		"no-such-file":     "OPERATOR_TOKENS is neither",
		"billing read abc": "OPERATOR_TOKENS cannot be used: operator 1",
		empty:              "OPERATOR_TOKENS names no operator",
	} {
		code, _, problems := command(t, []string{"PORT=0", "OPERATOR_TOKENS=" + value})
		require.Equal(t, 1, code)
		require.Contains(t, problems, says)
		require.NotContains(t, problems, "no-such-file", "it may be a token")
	}
	for _, args := range [][]string{{"operator-token"}, {"operator-token", "billing"}, {"operator-token", "billing", "all"}} {
		code, text, problems := command(t, nil, args...)
		require.Equal(t, 1, code)
		require.Empty(t, text)
		require.NotEmpty(t, problems)
	}
	code, usage, _ := command(t, nil, "operator-token", "-h")
	require.Zero(t, code)
	require.Contains(t, usage, "revoke webhooks")
}
