package iceservers_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-json-experiment/json"
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

// What services return and people write is read as every browser takes it. A test of e2e
// proves that with browsers.
func TestParseReadsWhatServicesReturn(t *testing.T) {
	turn := iceservers.Server{URLs: []string{"turn:a.example:3478?transport=udp"}, Username: "u", Credential: "c"}
	stun := iceservers.Server{URLs: []string{"stun:a.example:3478"}}
	for text, want := range map[string][]iceservers.Server{
		// Twilio, its whole answer and its list alone
		`{"account_sid": "AC1", "username": "u", "password": "c", "ttl": "86400", "date_created": "now", "ice_servers": [
			{"url": "stun:a.example:3478", "urls": "stun:a.example:3478"},
			{"url": "turn:a.example:3478?transport=udp", "username": "u", "urls": "turn:a.example:3478?transport=udp", "credential": "c"}]}`: {stun, turn},
		`[{"url": "stun:a.example:3478", "urls": "stun:a.example:3478"}]`: {stun},
		`[{"url": "stun:a.example:3478"}]`:                                {stun},
		// Cloudflare, earlier and today
		`{"iceServers": {"urls": ["turn:a.example:3478?transport=udp"], "username": "u", "credential": "c"}}`:                                      {turn},
		`{"iceServers": [{"urls": ["stun:a.example:3478"]}, {"urls": ["turn:a.example:3478?transport=udp"], "username": "u", "credential": "c"}]}`: {stun, turn},
		// Xirsys
		`{"v": {"iceServers": {"username": "u", "urls": ["turn:a.example:3478?transport=udp"], "credential": "c"}}, "s": "ok"}`: {turn},
		// Google
		`{"lifetimeDuration": "86400s", "iceServers": [{"urls": ["stun:a.example:3478"]}], "blockStatus": "NOT_BLOCKED", "iceTransportPolicy": "all"}`: {stun},
		// Metered, and what else is beside the members
		`[{"urls": "turn:a.example:3478?transport=udp", "username": "u", "credential": "c", "credentialType": "password", "ttl": 1, "hostname": "a"}]`: {turn},
		`{"urls": "stun:a.example:3478", "username": null, "credential": null}`:                                                                        {stun},
		` [ { "urls" : " STUN:a.example:3478 " } ] `:                                                                                                   {stun},
		`[{"urls": ["stun:a.example:3478"], "url": null}]`:                                                                                             {stun},
	} {
		servers, err := iceservers.Parse(text)
		require.NoError(t, err, text)
		require.Equal(t, want, servers, text)
	}
}

func TestURLsAreWrittenAsEveryBrowserTakesThem(t *testing.T) {
	for text, is := range map[string]string{
		"stun:a.example:3478?transport=udp": "stun:a.example:3478", // browsers throw
		"stun:a.example?transport=TCP":      "stun:a.example",
		"STUN:a.example":                    "stun:a.example",
		"stun://a.example:3478":             "stun:a.example:3478",
		"stun://a.example/":                 "stun:a.example",
		"stun:a.example:":                   "stun:a.example",
		"stun:a.example?":                   "stun:a.example",
		"stun:a.example:03478":              "stun:a.example:3478",
		"stun:bücher.example":               "stun:xn--bcher-kva.example",
		"stun:[2001:DB8::1]:3478":           "stun:[2001:DB8::1]:3478",
		"stun:A.Example":                    "stun:A.Example",
		"stun:192.0.2.1":                    "stun:192.0.2.1",
		"stun:r3---sn.Example-~.a":          "stun:r3---sn.Example-~.a",
		"stun:a:53":                         "stun:a:53",
		"stun:a_b.example.":                 "stun:a_b.example.",
	} {
		servers, err := iceservers.Parse(`[{"urls": "` + text + `"}]`)
		require.NoError(t, err, text)
		require.Equal(t, []string{is}, servers[0].URLs, text)
	}
	urls, err := iceservers.ParseURLs([]string{
		" turn:a", "turns:b:5349 ", "TURN:a?TRANSPORT=UDP", "turn://a:3478?transport=tcp", "turns:a?transport=udp", "turns:[::1]:443?transport=tcp", "turn:bücher.example?",
	})
	require.NoError(t, err)
	require.Equal(t, []string{
		"turn:a", "turns:b:5349", "turn:a?transport=udp", "turn:a:3478?transport=tcp", "turns:a?transport=udp", "turns:[::1]:443?transport=tcp", "turn:xn--bcher-kva.example",
	}, urls)
}

// A browser throws on each of these, and then no call would begin.
func TestParseRefusesWhatBrowsersRefuseAndRepeatsNothing(t *testing.T) {
	for text, says := range map[string]string{
		``: "it is a JSON array", `hush`: "it is a JSON array", `"stun:hush"`: "it is a JSON array", `[{"urls": "stun:a", "credential": "hush"`: "it is a JSON array",
		`{}`:                            "server 1: urls is missing",
		`null`:                          "server 1: urls is missing",
		`[1]`:                           "server 1: it is not an object",
		`[{}]`:                          "server 1: urls is missing",
		`[{"urls": null, "url": null}]`: "server 1: urls is missing",
		`[{"urls": []}]`:                "server 1: urls is neither",
		`[{"urls": 3478}]`:              "server 1: urls is neither",
		`[{"urls": ["stun:a", 1]}]`:     "server 1: urls is neither",
		`[{"urls": "stun:a", "urls": "stun:hush"}]`:                                  "it is a JSON array",
		`[{"urls": "stun:a"}, {"urls": ["stun:b", "https://hush"]}]`:                 "server 2: urls[1] is not a URL of the schemes stun, turn and turns",
		`[{"urls": "stuns:hush"}]`:                                                   "server 1: urls[0] begins with stuns:, and Firefox throws",
		`[{"url": "hush"}]`:                                                          "server 1: url[0] is not a URL",
		`[{"urls": ""}]`:                                                             "server 1: urls[0] is not a URL",
		`[{"urls": "stun:"}]`:                                                        "urls[0] has no host",
		`[{"urls": "stun:///"}]`:                                                     "urls[0] has no host",
		`[{"urls": "stun:hush b"}]`:                                                  "urls[0] has no host, or a host that cannot exist",
		`[{"urls": "stun:hush\nb"}]`:                                                 "urls[0] has no host, or a host that cannot exist",
		`[{"urls": "stun:hush:3478\n:1"}]`:                                           "two ports",
		`[{"urls": "stun:hush/a"}]`:                                                  "urls[0] has no host, or a host that cannot exist",
		`[{"urls": "stun:hush#a"}]`:                                                  "urls[0] has no host, or a host that cannot exist",
		`[{"urls": "stun:hush:0"}]`:                                                  "urls[0] has a port that is not a number from 1 to 65535",
		`[{"urls": "stun:hush:99999"}]`:                                              "urls[0] has a port",
		`[{"urls": "stun:hush:+1"}]`:                                                 "urls[0] has a port",
		`[{"urls": "stun:2001:db8::1"}]`:                                             "urls[0] has an IPv6 address without brackets",
		`[{"urls": "stun:[2001:db8::1"}]`:                                            "urls[0] has an IPv6 address without brackets",
		`[{"urls": "stun:[hush]"}]`:                                                  "urls[0] has no IPv6 address",
		`[{"urls": "stun:[fe80::1%eth0]"}]`:                                          "urls[0] has no IPv6 address",
		`[{"urls": "stun:[192.0.2.1]"}]`:                                             "urls[0] has no IPv6 address",
		`[{"urls": "stun:256.1.1.1"}]`:                                               "urls[0] has no IPv4 address",
		`[{"urls": "stun:1.2.3.4.5"}]`:                                               "urls[0] has no IPv4 address",
		`[{"urls": "stun:a.0x7f"}]`:                                                  "urls[0] has no IPv4 address",
		`[{"urls": "stun:xn--a"}]`:                                                   "urls[0] has no host, or a host that cannot exist",
		`[{"urls": "stun:a%20b"}]`:                                                   "urls[0] has no host, or a host that cannot exist",
		`[{"urls": "turn:a:5060", "username": "u", "credential": "hush"}]`:           "urls[0] has port 5060, which browsers block",
		`[{"urls": "stun:user:hush@a"}]`:                                             "urls[0] has a user name: write it as username",
		`[{"urls": "turn:user:hush@a", "username": "u", "credential": "hush"}]`:      "urls[0] has a user name",
		`[{"urls": "turn:a?transport=sctp", "username": "u", "credential": "hush"}]`: "urls[0] has something else after the ?",
		`[{"urls": "turn:a?transport=udp&b=hush", "username": "u", "credential": "c"}]`: "urls[0] has something else after the ?",
		`[{"urls": "turn:a"}]`: "username is missing",
		`[{"urls": "turn:a", "username": "", "credential": "hush"}]`:                                 "username is missing",
		`[{"urls": ["stun:a", "turns:a"], "username": "hush"}]`:                                      "credential is missing",
		`[{"urls": "turn:a", "username": 1, "credential": "hush"}]`:                                  "username is not a text",
		`[{"urls": "turn:a", "username": "u", "credential": {"macKey": "hush"}}]`:                    "credential is not a text",
		`[{"urls": "turn:a", "username": "u", "credential": "hush", "credentialType": "oauth"}]`:     "credentialType is not",
		`[{"urls": "turn:a", "username": "` + strings.Repeat("hush", 128) + `", "credential": "c"}]`: "username has more than 509 bytes",
		`{"iceServers": "hush"}`: "it is a JSON array",
	} {
		_, err := iceservers.Parse(text)
		require.ErrorContains(t, err, says, text)
		require.NotContains(t, err.Error(), "hush")
	}
	for _, urls := range [][]string{{"stun:a"}, {"turn:a", "b"}, {""}, {"turn:user:hush@a"}} {
		_, err := iceservers.ParseURLs(urls)
		require.ErrorContains(t, err, fmt.Sprintf("URL %d ", len(urls)))
		require.NotContains(t, err.Error(), "hush")
	}
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
	f.Add(`{"iceServers": {"urls": ["STUN://a?transport=udp"], "ttl": 1}}`)
	f.Add(`[{"urls": "turn:a", "username": "\ud800", "credential": "c"}]`)
	f.Fuzz(func(t *testing.T, text string) {
		servers, err := iceservers.Parse(text)
		if err != nil {
			return
		}
		again, err := json.Marshal(servers)
		require.NoError(t, err)
		if servers == nil {
			return
		}
		parsed, err := iceservers.Parse(string(again))
		require.NoError(t, err, servers)
		require.Equal(t, servers, parsed, "what is handed out is right as it is")
	})
}
