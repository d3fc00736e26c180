package conns_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signaling-server/httpapi/conns"
)

// plainPost returns a plain request with more fields, each with its line end.
func plainPost(fields, body string) string {
	return fmt.Sprintf("POST / HTTP/1.1\r\nHost: localhost:3002\r\n%sContent-Length: %d\r\n\r\n%s", fields, len(body), body)
}

var plainRequests = map[string]string{
	"the shortest":            "POST / HTTP/1.1\r\nHost:a\r\nContent-Length:0\r\n\r\n",
	"a body":                  plainPost("", `{"type":"heartbeat"}`),
	"a browser's fields":      plainPost("User-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nsec-ch-ua: \"Chromium\";v=\"140\"\r\nAuthorization: Bearer abc\r\nContent-Type: application/json\r\nAccept: */*\r\nOrigin: https://example.com\r\nAccept-Encoding: gzip, br\r\nConnection: keep-alive\r\n", "{}"),
	"a proxy's fields":        plainPost("X-Forwarded-For: 192.0.2.1\r\nForwarded: for=\"[2001:db8::1]:4711\"\r\nVia: 1.1 a\r\n", "{}"),
	"a body that has fields":  plainPost("", "\r\n\r\nPOST / HTTP/1.1\r\n\r\n"),
	"blanks around a value":   plainPost("X: \t a\tb \t\r\n", "x"),
	"an empty value":          plainPost("X:\r\nY: \r\n", "x"),
	"names in small letters":  "POST / HTTP/1.1\r\nhost: a\r\nx-Forwarded-FOR: b\r\ncontent-length: 3\r\n\r\nabc",
	"zeros before the length": "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0003\r\n\r\nabc",
	"an IPv6 address":         "POST / HTTP/1.1\r\nHost: [::1]:3002\r\nContent-Length: 3\r\n\r\nabc",
	"Keep-Alive":              plainPost("Connection: Keep-Alive\r\nKeep-Alive: timeout=5\r\n", "x"),
	"64 fields":               plainPost(numbered(62), "x"),
}

// numbered returns lines of fields.
func numbered(count int) string {
	var text strings.Builder
	for i := range count {
		fmt.Fprintf(&text, "X-%d: a\r\n", i)
	}
	return text.String()
}

var otherRequests = map[string]string{
	"no request":                    "",
	"a part of the request line":    "POST / HTTP",
	"a part of the header":          plainPost("", "")[:40],
	"a part of the body":            strings.TrimSuffix(plainPost("", "abc"), "c"),
	"no body":                       strings.TrimSuffix(plainPost("", "abc"), "abc"),
	"a byte behind the body":        plainPost("", "abc") + "d",
	"a request behind the body":     plainPost("", "abc") + plainPost("", "abc"),
	"a line end behind the body":    plainPost("", "abc") + "\r\n",
	"a line end before the request": "\r\n" + plainPost("", "abc"),
	"another method":                strings.Replace(plainPost("", "abc"), "POST", "PUT", 1),
	"a method in small letters":     strings.Replace(plainPost("", "abc"), "POST", "post", 1),
	"another target":                strings.Replace(plainPost("", "abc"), "POST /", "POST /a", 1),
	"a query":                       strings.Replace(plainPost("", "abc"), "POST /", "POST /?a", 1),
	"a whole URL":                   strings.Replace(plainPost("", "abc"), "POST /", "POST http://a/", 1),
	"two blanks":                    strings.Replace(plainPost("", "abc"), "POST ", "POST  ", 1),
	"a tab":                         strings.Replace(plainPost("", "abc"), "POST ", "POST\t", 1),
	"HTTP/1.0":                      strings.Replace(plainPost("", "abc"), "HTTP/1.1", "HTTP/1.0", 1),
	"HTTP/2.0":                      strings.Replace(plainPost("", "abc"), "HTTP/1.1", "HTTP/2.0", 1),
	"a blank behind the version":    strings.Replace(plainPost("", "abc"), "HTTP/1.1", "HTTP/1.1 ", 1),
	"bare LFs":                      strings.ReplaceAll(plainPost("", "abc"), "\r\n", "\n"),
	"a bare LF in the header":       plainPost("X: a\nY: b\r\n", "abc"),
	"a bare CR in the header":       plainPost("X: a\rY: b\r\n", "abc"),
	"a folded field":                plainPost("X: a\r\n b\r\n", "abc"),
	"a line without a colon":        plainPost("X\r\n", "abc"),
	"a line without a name":         plainPost(": a\r\n", "abc"),
	"a blank before the colon":      plainPost("X : a\r\n", "abc"),
	"a blank before the name":       plainPost(" X: a\r\n", "abc"),
	"a rare byte in a name":         plainPost("X_Y: a\r\n", "abc"),
	"NUL in a value":                plainPost("X: \x00\r\n", "abc"),
	"a byte above ASCII":            plainPost("X: é\r\n", "abc"),
	"DEL in a value":                plainPost("X: \x7f\r\n", "abc"),
	"a field twice":                 plainPost("X: a\r\nX: a\r\n", "abc"),
	"a field twice, in both cases":  plainPost("X-Y: a\r\nx-y: b\r\n", "abc"),
	"no Host":                       strings.Replace(plainPost("", "abc"), "Host", "X", 1),
	"no Host, and a name twice":     strings.Replace(plainPost("X: a\r\n", "abc"), "Host", "X", 1),
	"an empty Host":                 strings.Replace(plainPost("", "abc"), "localhost:3002", "", 1),
	"two Hosts":                     plainPost("Host: a\r\n", "abc"),
	"a Host with a slash":           strings.Replace(plainPost("", "abc"), "localhost", "a/b", 1),
	"a Host with a user":            strings.Replace(plainPost("", "abc"), "localhost", "a@b", 1),
	"no Content-Length":             strings.Replace(plainPost("", ""), "Content-Length", "X", 1),
	"two Content-Lengths":           plainPost("Content-Length: 3\r\n", "abc"),
	"an empty Content-Length":       strings.Replace(plainPost("", ""), "Content-Length: 0", "Content-Length:", 1),
	"a plus before the length":      strings.Replace(plainPost("", "abc"), ": 3", ": +3", 1),
	"a minus before the length":     strings.Replace(plainPost("", "abc"), ": 3", ": -3", 1),
	"a list of lengths":             strings.Replace(plainPost("", "abc"), ": 3", ": 3, 3", 1),
	"a length beyond 64 bits":       strings.Replace(plainPost("", "abc"), ": 3", ": 18446744073709551619", 1),
	"65 fields":                     plainPost(numbered(63), "x"),
	"Connection: close":             plainPost("Connection: close\r\n", "abc"),
	"Connection: keep-alive, close": plainPost("Connection: keep-alive, close\r\n", "abc"),
	"Connection: Upgrade":           plainPost("Connection: Upgrade\r\n", "abc"),
	"chunks":                        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"chunks and a length":           plainPost("Transfer-Encoding: chunked\r\n", "0\r\n\r\n"),
}

func init() {
	for _, name := range []string{"Expect", "HTTP2-Settings", "Pragma", "Proxy-Authorization", "proxy-connection", "TE", "Trailer", "transfer-encoding", "Upgrade"} {
		otherRequests[name] = plainPost(name+": a\r\n", "abc")
	}
}

func TestPlainRequestsAreReadAsNetHTTPReadsThem(t *testing.T) {
	for name, text := range plainRequests {
		t.Run(name, func(t *testing.T) { require.True(t, readsAlike(t, []byte(text))) })
	}
}

func TestAnyDoubtAboutARequestIsLeftToNetHTTP(t *testing.T) {
	for name, text := range otherRequests {
		t.Run(name, func(t *testing.T) { require.Nil(t, conns.ReadPlain([]byte(text), "/")) })
	}
	request := plainPost("Authorization: Bearer abc\r\n", "abc")
	for end := range request {
		require.Nil(t, conns.ReadPlain([]byte(request[:end]), "/"), end)
	}
}

func TestTheBodyOfAPlainRequestHasABound(t *testing.T) {
	header := len(plainPost("", "")) + 3 // the length has four digits
	for length, isPlain := range map[int]bool{8<<10 - header: true, 8<<10 - header + 1: false} {
		require.Equal(t, isPlain, conns.ReadPlain([]byte(plainPost("", strings.Repeat("x", length))), "/") != nil, length)
	}
}

// readsAlike reports whether a request is plain. Then it must be what net/http reads.
func readsAlike(t *testing.T, text []byte) bool {
	own := conns.ReadPlain(text, "/")
	if own == nil {
		return false
	}
	reader := bufio.NewReader(bytes.NewReader(text))
	theirs, err := http.ReadRequest(reader)
	require.NoError(t, err)
	require.Equal(t, bodyOf(t, theirs), bodyOf(t, own))
	require.Zero(t, reader.Buffered(), "nothing is behind it")
	require.Equal(t, "192.0.2.1:40000", own.RemoteAddr)
	theirs.RemoteAddr, theirs.Body, own.Body = own.RemoteAddr, nil, nil
	require.Equal(t, theirs, own)
	return true
}

func bodyOf(t *testing.T, r *http.Request) string {
	text, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	n, err := r.Body.Read(make([]byte, 1))
	require.Zero(t, n)
	require.ErrorIs(t, err, io.EOF)
	require.NoError(t, r.Body.Close())
	if len(text) > 0 {
		_, err = r.Body.Read(make([]byte, 1))
		require.ErrorIs(t, err, http.ErrBodyReadAfterClose)
	}
	return string(text)
}

func FuzzReadPlain(f *testing.F) {
	for _, all := range []map[string]string{plainRequests, otherRequests} {
		for _, text := range all {
			f.Add([]byte(text))
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) { readsAlike(t, text) })
}
