package iceservers_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/iceservers"
)

func TestParseReadsWhatRTCPeerConnectionAccepts(t *testing.T) {
	servers, err := iceservers.Parse(`[{"urls": "stun:stun.example.com"},
		{"urls": ["turn:192.0.2.1:3478?transport=udp", "turns:[2001:db8::1]:443?transport=tcp"], "username": "u", "credential": "c"}]`)
	require.NoError(t, err)
	require.Equal(t, []iceservers.Server{
		{URLs: []string{"stun:stun.example.com"}},
		{URLs: []string{"turn:192.0.2.1:3478?transport=udp", "turns:[2001:db8::1]:443?transport=tcp"}, Username: "u", Credential: "c"},
	}, servers)
	none, err := iceservers.Parse(`[]`)
	require.NoError(t, err)
	require.Empty(t, none)
}

// A browser throws on each of these, and then no call would begin.
func TestParseRefusesWhatBrowsersRefuseAndRepeatsNoSecret(t *testing.T) {
	for _, text := range []string{
		``, `{}`, `"stun:a"`, `[1]`, `[{}]`, `[{"urls": []}]`, `[{"urls": null}]`, `[{"urls": "https://a"}]`, `[{"urls": "stun:"}]`, `[{"urls": "stun://a"}]`,
		`[{"urls": "stun:a b"}]`, `[{"urls": "turn:a?transport=sctp", "username": "u", "credential": "hush"}]`, `[{"urls": "turn:a"}]`,
		`[{"urls": "turn:a", "username": "u"}]`, `[{"url": "stun:a", "credential": "hush"}]`, `[{"urls": "stun:a", "credential": "hush"`,
		`[{"urls": "stun:user:pass@a"}]`,
	} {
		_, err := iceservers.Parse(text)
		require.Error(t, err, text)
		require.NotContains(t, err.Error(), "hush")
	}
	for _, urls := range [][]string{{"stun:a"}, {"turn:a", "b"}, {""}} {
		_, err := iceservers.ParseURLs(urls)
		require.Error(t, err, urls)
	}
	urls, err := iceservers.ParseURLs([]string{" turn:a", "turns:b:5349 "})
	require.NoError(t, err)
	require.Equal(t, []string{"turn:a", "turns:b:5349"}, urls)
}

// The expected credential is what the draft's own recipe gives for the username:
// printf 946688400:Ada | openssl dgst -sha1 -hmac secret -binary | base64
func TestEachSocketHasItsOwnCredentialsAndTheyExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // its clock begins with the year 2000
		p := iceservers.Provider{
			Static: []iceservers.Server{{URLs: []string{"stun:a"}}},
			TURN:   []string{"turn:b"}, Secret: "secret", TTL: time.Hour,
		}
		servers := p.For("Ada")
		require.Equal(t, iceservers.Server{URLs: []string{"stun:a"}}, servers[0])
		require.Equal(t, iceservers.Server{URLs: []string{"turn:b"}, Username: "946688400:Ada", Credential: "fL8y4BneAKTG36ia9O00ItQQzos="}, servers[1])
		time.Sleep(time.Second)
		later := p.For("Ada")[1]
		require.Equal(t, "946688401:Ada", later.Username)
		require.NotEqual(t, servers[1].Credential, later.Credential)
		require.NotEqual(t, servers[1].Credential, p.For("Bob")[1].Credential)
		require.Len(t, p.Static, 1, "the servers for every client are unchanged")
	})
	require.Empty(t, iceservers.Provider{}.For("Ada"))
	require.True(t, iceservers.Provider{}.IsEmpty())
}

// The operator writes this text. Any text is either refused, or read as servers that a
// browser accepts.
func FuzzParse(f *testing.F) {
	f.Add(`[{"urls": "stun:stun.example.com"}]`)
	f.Add(`[{"urls": ["turn:[::1]:3478?transport=udp"], "username": "u", "credential": "c"}]`)
	f.Add(`[{"urls": "turn:a", "username": "\ud800", "credential": "c"}]`)
	f.Fuzz(func(t *testing.T, text string) {
		servers, err := iceservers.Parse(text)
		if err != nil {
			return
		}
		for _, one := range servers {
			require.NotEmpty(t, one.URLs)
		}
	})
}
