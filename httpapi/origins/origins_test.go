package origins_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signaling-server/httpapi/origins"
)

func TestAnyOriginThatABrowserSendsIsAccepted(t *testing.T) {
	for text, is := range map[string]string{
		"*": "*", "null": "null", "NULL": "null",
		"https://app.example.com":      "https://app.example.com",
		"http://localhost:3000":        "http://localhost:3000",
		"http://intranet":              "http://intranet",
		"http://my_app.local":          "http://my_app.local",
		"https://r3---sn.example-.com": "https://r3---sn.example-.com",
		"https://example.com.":         "https://example.com.",

		// a browser writes these otherwise
		"https://app.example.com:443":   "https://app.example.com",
		"http://app.example.com:80":     "http://app.example.com",
		"https://app.example.com:80":    "https://app.example.com:80",
		"https://app.example.com:08443": "https://app.example.com:8443",
		"https://app.example.com:":      "https://app.example.com",
		"https://app.example.com/":      "https://app.example.com",
		"HTTPS://App.Example.COM":       "https://app.example.com",
		" https://app.example.com ":     "https://app.example.com",
		"https://bücher.example":        "https://xn--bcher-kva.example",
		"https://BÜCHER.example:443/":   "https://xn--bcher-kva.example",
		"https://xn--bcher-kva.example": "https://xn--bcher-kva.example",
		"https://straße.example":        "https://xn--strae-oqa.example",
		"https://例え。テスト":                "https://xn--r8jz45g.xn--zckzah",
		"http://[::1]:3000":             "http://[::1]:3000",
		"http://[2001:DB8:0::1]:80":     "http://[2001:db8::1]",
		"http://[::ffff:192.0.2.1]":     "http://[::ffff:c000:201]",
		"http://192.0.2.1:8080":         "http://192.0.2.1:8080",
		"https://*.example.org":         "https://*.example.org",
		"https://*.bücher.example:443":  "https://*.xn--bcher-kva.example",
		"https://*.example.org:8443":    "https://*.example.org:8443",

		// shells of apps, and extensions
		"capacitor://localhost":   "capacitor://localhost",
		"ionic://localhost":       "ionic://localhost",
		"tauri://localhost":       "tauri://localhost",
		"https://tauri.localhost": "https://tauri.localhost",
		"app://obsidian.md":       "app://obsidian.md",
		"app://.":                 "app://.",
		"app://-":                 "app://-",
		"file://":                 "file://",
		"file:///":                "file://",
		"qrc://":                  "qrc://",
		"vscode-webview://1a2b3c": "vscode-webview://1a2b3c",
		"chrome-extension://abcdefghijklmnopabcdefghijklmnop":     "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
		"chrome-extension://abcdefghijklmnopabcdefghijklmnop/":    "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
		"moz-extension://2C127FA4-62C7-7E4F-90E5-472B45EECFDC":    "moz-extension://2c127fa4-62c7-7e4f-90e5-472b45eecfdc",
		"safari-web-extension://2c127fa4-62c7-7e4f-90e5-472b45ee": "safari-web-extension://2c127fa4-62c7-7e4f-90e5-472b45ee",
		"moz-extension://*":  "moz-extension://*",
		"vscode-webview://*": "vscode-webview://*",
	} {
		parsed, err := origins.Parse([]string{text})
		require.NoError(t, err, text)
		require.Equal(t, []string{is}, parsed, text)
	}
	parsed, err := origins.Parse([]string{"http://localhost:*", "null"})
	require.NoError(t, err)
	require.Equal(t, []string{"http://localhost:*", "http://localhost", "null"}, parsed)
}

func TestWhatCannotBeAnOriginIsRefusedWithWhatToWrite(t *testing.T) {
	for text, says := range map[string]string{
		"":                               "write a scheme and a host",
		"app.example.com":                "write https://app.example.com",
		"localhost":                      "write http://localhost",
		"localhost:3000":                 "write http://localhost:3000",
		"app.localhost":                  "write http://app.localhost",
		"*.localhost:3000":               "write http://*.localhost:3000",
		"intranet":                       "write http://intranet",
		"printer.local.":                 "write http://printer.local.",
		"box.home.arpa":                  "write http://box.home.arpa",
		"127.0.0.1:3000":                 "write http://127.0.0.1:3000",
		"192.168.1.20":                   "write http://192.168.1.20",
		"[::1]:3000":                     "write http://[::1]:3000",
		"203.0.113.1":                    "write https://203.0.113.1",
		"[2001:db8::1]":                  "write https://[2001:db8::1]",
		"localhost.example":              "write https://localhost.example",
		"mylocal":                        "write http://mylocal",
		"*.example.com":                  "write https://*.example.com",
		"//app.example.com":              "write a scheme and a host",
		"app.example.com/path":           "write a scheme and a host",
		"data:":                          "has no scheme",
		"about:blank":                    "or * or null",
		"https://":                       "write a scheme and a host",
		"https:///":                      "write a scheme and a host",
		"https://app.example.com/path":   "write https://app.example.com",
		"https://app.example.com:443/a/": "write https://app.example.com",
		"https://app.example.com?a=b":    "write https://app.example.com",
		"https://app.example.com/#top":   "write https://app.example.com",
		"capacitor://localhost/index":    "write capacitor://localhost",
		"wss://app.example.com":          "write https://app.example.com",
		"ws://localhost:3000":            "write http://localhost:3000",
		"https://ada:hush@app.example":   "no user name",
		"ada:hush@app.example":           "no user name",
		"https://a b":                    "write a scheme and a host",
		"https://a.example https://b":    "write a scheme and a host",
		"https://a_\x00b":                "write a scheme and a host",
		"https://exa%6dple.com":          "write a scheme and a host",
		"1https://app.example":           "write a scheme and a host",
		"https://app.example.com:0":      "port is not a number from 1 to 65535",
		"https://app.example.com:99999":  "port is not a number from 1 to 65535",
		"https://app.example.com:web":    "port is not a number from 1 to 65535",
		"http://::1:3000":                "stands in brackets",
		"http://[::1":                    "stands in brackets",
		"http://[fe80::1%eth0]":          "no IPv6 address",
		"http://[192.0.2.1]":             "no IPv6 address",
		"http://192.0.2.256":             "no IPv4 address",
		"http://127.1":                   "no IPv4 address",
		"https://*":                      "write * alone for all origins",
		"https://*.*.example.com":        "precedes the first dot",
		"https://app-*.example.com":      "precedes the first dot",
		"https://*example.com":           "precedes the first dot",
		"https://*.":                     "write a scheme and a host",
		"https://*.example.com:*":        "the port may be * only",
		"capacitor://localhost:*":        "the port may be * only",
		"moz-extension://a*":             "precedes the first dot",
	} {
		parsed, err := origins.Parse([]string{"https://good.example", text})
		require.Error(t, err, "%q gave %v", text, parsed)
		require.Contains(t, err.Error(), says, text)
		require.NotContains(t, err.Error(), "hush")
	}
}

// What is accepted is accepted again, and stays the same: an embedder may pass what it
// has parsed already.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"https://app.example.com:443/", "http://[::ffff:1.2.3.4]:80", "moz-extension://*", "https://*.bücher.example", "http://localhost:*", "null"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		parsed, err := origins.Parse([]string{text})
		if err != nil {
			return
		}
		again, err := origins.Parse(parsed[:1])
		require.NoError(t, err, parsed)
		require.Equal(t, parsed, again)
		require.NotContains(t, parsed[0], "@")
		require.LessOrEqual(t, strings.Count(parsed[0], "*"), 1)
		require.Equal(t, strings.ToLower(parsed[0]), parsed[0])
	})
}
