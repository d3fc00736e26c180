package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/server"
)

// The starts of malformed requests, and a second request that a client may try to hide
// behind them.
const (
	post   = "POST /events HTTP/1.1\nHost: a\n"
	get    = "GET /livez HTTP/1.1\nHost: a\n"
	second = "GET /livez?second HTTP/1.1\nHost: b\n\n"
)

// malformed are requests that servers judge differently. If a proxy and the server disagree
// about the end of a request, a client can hide a second request behind the first (RFC 9112,
// 11.2). The judgements are those of net/http, and of our handler for what it gets. Another
// server below the handler must judge alike: see docs/decisions/16-event-loop.md.
//
// In the raw text, \n stands for the two bytes CR and LF. A bare LF is written as <LF>, a
// bare CR as <CR>.
//
// A judgement has the statuses of all answers. It says whether the connection serves the
// next request, or is closed. And it has what the handler gets: the method, target, host and
// body of each request, and whether the body is broken.
var malformed = []struct{ name, raw, judgement string }{
	{"a request in order", post + "Content-Length: 3\n\nabc", `401 kept; POST /events a "abc"`},
	{"chunks in order", post + "Transfer-Encoding: chunked\n\n3\nabc\n0\n\n", `401 kept; POST /events a "abc"`},
	{"two requests, pipelined", post + "Content-Length: 3\n\nabc" + second, `401 200 kept; POST /events a "abc"; GET /livez?second b ""`},
	{"pipelined after chunks", post + "Transfer-Encoding: chunked\n\n3\nabc\n0\n\n" + second, `401 200 kept; POST /events a "abc"; GET /livez?second b ""`},
	{"Content-Length and chunks", post + "Content-Length: 3\nTransfer-Encoding: chunked\n\n3\nabc\n0\n\n", `401 kept; POST /events a "abc"`},
	{"chunks and Content-Length", post + "Transfer-Encoding: chunked\nContent-Length: 3\n\n3\nabc\n0\n\n", `401 kept; POST /events a "abc"`},
	{"CL.TE", post + "Content-Length: 44\nTransfer-Encoding: chunked\n\n0\n\n" + second, `401 200 kept; POST /events a ""; GET /livez?second b ""`},
	{"TE.CL", post + "Transfer-Encoding: chunked\nContent-Length: 4\n\n2f\nGET /livez?second HTTP/1.1\nHost: b\nX: 12345\n\n0\n\n", `401 kept; POST /events a "GET /livez?second HTTP/1.1\r\nHost: b\r\nX: 12345\r\n"`},
	{"Content-Length beside chunks in HTTP/1.0", "POST /events HTTP/1.0\nHost: a\nConnection: keep-alive\nContent-Length: 3\nTransfer-Encoding: chunked\n\n3\nabc\n0\n\n", `401 400 closed; POST /events a "3\r\n"`},
	{"chunks in HTTP/1.0", "POST /events HTTP/1.0\nHost: a\nTransfer-Encoding: chunked\n\n3\nabc\n0\n\n", `401 closed; POST /events a ""`},
	{"two Transfer-Encodings", post + "Transfer-Encoding: chunked\nTransfer-Encoding: identity\n\n0\n\n" + second, `501 closed`},
	{"chunked twice", post + "Transfer-Encoding: chunked, chunked\n\n0\n\n" + second, `501 closed`},
	{"a list of encodings", post + "Transfer-Encoding: gzip, chunked\n\n0\n\n" + second, `501 closed`},
	{"identity", post + "Transfer-Encoding: identity\nContent-Length: 3\n\nabc", `501 closed`},
	{"an unknown encoding", post + "Transfer-Encoding: xchunked\nContent-Length: 3\n\nabc", `501 closed`},
	{"chunked in capitals", post + "Transfer-Encoding: CHUNKED\n\n0\n\n" + second, `401 200 kept; POST /events a ""; GET /livez?second b ""`},
	{"a tab before chunked", post + "Transfer-Encoding:\tchunked\nContent-Length: 3\n\n0\n\n" + second, `401 200 kept; POST /events a ""; GET /livez?second b ""`},
	{"a vertical tab before chunked", post + "Transfer-Encoding: \x0bchunked\nContent-Length: 3\n\nabc", `400 closed`},
	{"quoted chunked", post + "Transfer-Encoding: \"chunked\"\nContent-Length: 3\n\nabc", `501 closed`},
	{"an empty Transfer-Encoding", post + "Transfer-Encoding:\nContent-Length: 3\n\nabc", `501 closed`},
	{"a space before the colon of Transfer-Encoding", post + "Transfer-Encoding : chunked\nContent-Length: 3\n\n0\n\n" + second, `400 closed`},
	{"an underscore in Transfer_Encoding", post + "Transfer_Encoding: chunked\nContent-Length: 3\n\nabc", `401 kept; POST /events a "abc"`},
	{"a folded Transfer-Encoding", post + "Transfer-Encoding:\n chunked\nContent-Length: 3\n\n0\n\n" + second, `401 200 kept; POST /events a ""; GET /livez?second b ""`},
	{"a folded header", get + "X: one\n two\n\n", `200 kept; GET /livez a ""`},
	{"a folded first header", "GET /livez HTTP/1.1\n Host: a\nHost: a\n\n", `400 closed`},
	{"the same Content-Length twice", post + "Content-Length: 3\nContent-Length: 3\n\nabc", `401 kept; POST /events a "abc"`},
	{"two Content-Lengths", post + "Content-Length: 3\nContent-Length: 42\n\nabc" + second, `400 closed`},
	{"a list as Content-Length", post + "Content-Length: 3, 3\n\nabc", `400 closed`},
	{"a list of two Content-Lengths", post + "Content-Length: 3, 4\n\nabcd", `400 closed`},
	{"a negative Content-Length", post + "Content-Length: -3\n\nabc", `400 closed`},
	{"a plus before the Content-Length", post + "Content-Length: +3\n\nabc", `400 closed`},
	{"a hexadecimal Content-Length", post + "Content-Length: 0x3\n\nabc", `400 closed`},
	{"zeros before the Content-Length", post + "Content-Length: 0003\n\nabc", `401 kept; POST /events a "abc"`},
	{"an empty Content-Length", post + "Content-Length:\n\n" + second, `400 closed`},
	{"a word as Content-Length", post + "Content-Length: three\n\nabc", `400 closed`},
	{"an underscore in a Content-Length", post + "Content-Length: 1_0\n\n0123456789", `400 closed`},
	{"a Content-Length beyond 63 bits", post + "Content-Length: 9223372036854775808\n\nabc", `400 closed`},
	{"a Content-Length beyond 64 bits", post + "Content-Length: 18446744073709551619\n\nabc", `400 closed`},
	{"a Content-Length that promises too much", post + "Content-Length: 1000\n\nabc", `401 closed; POST /events a "abcGET /livez?probe HTTP/1.1\r\nHost: probe\r\n\r\n" broken`},
	{"a space before the colon of Content-Length", post + "Content-Length : 3\n\nabc", `400 closed`},
	{"a space in Content-Length", post + "Content Length: 3\n\nabc", `400 closed`},
	{"a space after the Content-Length", post + "Content-Length: 3 \n\nabc", `401 kept; POST /events a "abc"`},
	{"a Content-Length of a GET", get + "Content-Length: 39\n\n" + second, `200 closed; GET /livez a "GET /livez?second HTTP/1.1\r\nHost: b\r\n\r\n"`},
	{"chunks of a GET", get + "Transfer-Encoding: chunked\n\n3\nabc\n0\n\n", `200 closed; GET /livez a "abc"`},
	{"a body without a length", post + "\nabc", `401 405 closed; POST /events a ""; abcGET /livez?probe probe ""`},
	{"a chunk with an extension", post + "Transfer-Encoding: chunked\n\n3;a=b\nabc\n0;c\n\n", `401 kept; POST /events a "abc"`},
	{"a chunk with a bare LF in its extension", post + "Transfer-Encoding: chunked\n\n3;a<LF>abc\n0\n\n" + second, `401 closed; POST /events a "" broken`},
	{"a chunk with a bare CR in its extension", post + "Transfer-Encoding: chunked\n\n3;<CR>a\nabc\n0\n\n" + second, `401 closed; POST /events a "" broken`},
	{"a chunk with spaces after its size", post + "Transfer-Encoding: chunked\n\n3  \nabc\n0\n\n", `401 kept; POST /events a "abc"`},
	{"a chunk with a space before its size", post + "Transfer-Encoding: chunked\n\n 3\nabc\n0\n\n", `401 closed; POST /events a "" broken`},
	{"a chunk with letters after its size", post + "Transfer-Encoding: chunked\n\n3 xyz\nabc\n0\n\n" + second, `401 closed; POST /events a "" broken`},
	{"a chunk with a negative size", post + "Transfer-Encoding: chunked\n\n-3\nabc\n0\n\n", `401 closed; POST /events a "" broken`},
	{"a chunk with a plus before its size", post + "Transfer-Encoding: chunked\n\n+3\nabc\n0\n\n", `401 closed; POST /events a "" broken`},
	{"a chunk with 0x before its size", post + "Transfer-Encoding: chunked\n\n0x3\nabc\n0\n\n", `401 closed; POST /events a "" broken`},
	{"a chunk with zeros before its size", post + "Transfer-Encoding: chunked\n\n0000000003\nabc\n0\n\n", `401 kept; POST /events a "abc"`},
	{"a chunk of 64 bits", post + "Transfer-Encoding: chunked\n\nffffffffffffffff\nabc\n0\n\n", `401 closed; POST /events a "abc\r\n0\r\n\r\nGET /livez?probe HTTP/1.1\r\nHost: probe\r\n\r\n" broken`},
	{"a chunk beyond 64 bits", post + "Transfer-Encoding: chunked\n\n10000000000000003\nabc\n0\n\n" + second, `401 closed; POST /events a "" broken`},
	{"a chunk without a size", post + "Transfer-Encoding: chunked\n\n\nabc\n0\n\n", `401 closed; POST /events a "" broken`},
	{"a chunk that is too short", post + "Transfer-Encoding: chunked\n\n4\nabc\n0\n\n", `401 closed; POST /events a "abc\r" broken`},
	{"a chunk that is too long", post + "Transfer-Encoding: chunked\n\n2\nabc\n0\n\n", `401 closed; POST /events a "ab" broken`},
	{"a chunk that ends with a bare LF", post + "Transfer-Encoding: chunked\n\n3\nabc<LF>0\n\n", `401 closed; POST /events a "abc" broken`},
	{"a chunk size that ends with a bare LF", post + "Transfer-Encoding: chunked\n\n3<LF>abc\n0\n\n", `401 closed; POST /events a "" broken`},
	{"a chunk size that ends with a bare CR", post + "Transfer-Encoding: chunked\n\n3<CR>abc\n0\n\n", `401 closed; POST /events a "" broken`},
	{"chunks without an end", post + "Transfer-Encoding: chunked\n\n3\nabc\n", `401 closed; POST /events a "abc" broken`},
	{"a last chunk without its empty line", post + "Transfer-Encoding: chunked\n\n3\nabc\n0\n", `401 400 closed; POST /events a "abc" broken`},
	{"trailers", post + "Transfer-Encoding: chunked\nTrailer: X\n\n3\nabc\n0\nX: 1\n\n", `401 kept; POST /events a "abc"`},
	{"a trailer that was not announced", post + "Transfer-Encoding: chunked\n\n3\nabc\n0\nX: 1\n\n", `401 kept; POST /events a "abc"`},
	{"Content-Length as a trailer", post + "Transfer-Encoding: chunked\nTrailer: Content-Length\n\n3\nabc\n0\nContent-Length: 9\n\n", `400 closed`},
	{"a malformed trailer", post + "Transfer-Encoding: chunked\n\n3\nabc\n0\nX 1\n\n" + second, `401 200 kept; POST /events a "abc" broken; GET /livez?second b ""`},
	{"bare LFs", "GET /livez HTTP/1.1<LF>Host: a<LF><LF>", `200 kept; GET /livez a ""`},
	{"a bare LF between headers", get + "X: 1<LF>Content-Length: 3\n\nabc", `200 closed; GET /livez a "abc"`},
	{"a bare LF as the empty line", post + "Content-Length: 3\n<LF>abc", `401 kept; POST /events a "abc"`},
	{"a bare CR in a header", post + "X: 1<CR>Content-Length: 3\n\nabc", `400 closed`},
	{"a bare CR as line end", post + "X: 1<CR>\n\n", `400 closed`},
	{"a bare CR in the request line", "GET /livez<CR> HTTP/1.1\nHost: a\n\n", `400 closed`},
	{"CR CR LF", get + "X: 1<CR>\n\n", `400 closed`},
	{"NUL in a header", get + "X: a\x00b\n\n", `400 closed`},
	{"NUL in a header's name", get + "X\x00: a\n\n", `400 closed`},
	{"NUL in the target", "GET /livez\x00 HTTP/1.1\nHost: a\n\n", `400 closed`},
	{"a control character in a header", get + "X: a\x01b\n\n", `400 closed`},
	{"DEL in a header", get + "X: a\x7fb\n\n", `400 closed`},
	{"a byte above ASCII in a header", get + "X: é\n\n", `200 kept; GET /livez a ""`},
	{"a byte above ASCII in a header's name", get + "é: 1\n\n", `400 closed`},
	{"a header without a colon", get + "X\n\n", `400 closed`},
	{"a header without a name", get + ": 1\n\n", `400 closed`},
	{"a header's name in parentheses", get + "(X): 1\n\n", `400 closed`},
	{"a tab before a colon", get + "X\t: 1\n\n", `400 closed`},
	{"an empty line before the request", "\n" + get + "\n", `400 closed`},
	{"two empty lines before the request", "\n\n" + get + "\n", `400 closed`},
	{"a space before the method", " " + get + "\n", `400 closed`},
	{"a method in small letters", "get /livez HTTP/1.1\nHost: a\n\n", `405 kept; get /livez a ""`},
	{"an unknown method", "SMUGGLE /livez HTTP/1.1\nHost: a\n\n", `405 kept; SMUGGLE /livez a ""`},
	{"a method that is not a token", "G(T /livez HTTP/1.1\nHost: a\n\n", `400 closed`},
	{"no method", "/livez HTTP/1.1\nHost: a\n\n", `400 closed`},
	{"two spaces after the method", "GET  /livez HTTP/1.1\nHost: a\n\n", `400 closed`},
	{"two spaces after the target", "GET /livez  HTTP/1.1\nHost: a\n\n", `400 closed`},
	{"a tab after the method", "GET\t/livez HTTP/1.1\nHost: a\n\n", `400 closed`},
	{"a space in the target", "GET /livez ?x HTTP/1.1\nHost: a\n\n", `400 closed`},
	{"a space after the version", "GET /livez HTTP/1.1 \nHost: a\n\n", `400 closed`},
	{"a target without a slash", "GET livez HTTP/1.1\nHost: a\n\n", `400 closed`},
	{"a broken escape in the target", "GET /livez%zz HTTP/1.1\nHost: a\n\n", `400 closed`},
	{"a fragment in the target", "GET /livez#x HTTP/1.1\nHost: a\n\n", `404 kept; GET /livez#x a ""`},
	{"dots in the target", "GET /x/../livez HTTP/1.1\nHost: a\n\n", `404 kept; GET /x/../livez a ""`},
	{"two slashes in the target", "GET //livez HTTP/1.1\nHost: a\n\n", `404 kept; GET //livez a ""`},
	{"a whole URL as the target", "GET http://c/livez HTTP/1.1\nHost: a\n\n", `200 kept; GET http://c/livez c ""`},
	{"a whole URL and no Host", "GET http://c/livez HTTP/1.1\n\n", `400 closed`},
	{"a URL of another scheme", "GET ftp://c/livez HTTP/1.1\nHost: a\n\n", `200 kept; GET ftp://c/livez c ""`},
	{"OPTIONS *", "OPTIONS * HTTP/1.1\nHost: a\n\n", `200 kept`},
	{"GET *", "GET * HTTP/1.1\nHost: a\n\n", `405 kept; GET * a ""`},
	{"CONNECT", "CONNECT c:80 HTTP/1.1\nHost: c:80\n\n", `404 kept; CONNECT c:80 c:80 ""`},
	{"CONNECT with a body", "CONNECT c:80 HTTP/1.1\nHost: c:80\nContent-Length: 3\n\nabc", `404 closed; CONNECT c:80 c:80 "abc"`},
	{"no Host", "GET /livez HTTP/1.1\n\n", `400 closed`},
	{"an empty Host", "GET /livez HTTP/1.1\nHost:\n\n", `200 kept; GET /livez  ""`},
	{"two Hosts", get + "Host: b\n\n", `400 closed`},
	{"the same Host twice", get + "Host: a\n\n", `400 closed`},
	{"a Host with a space", "GET /livez HTTP/1.1\nHost: a b\n\n", `400 closed`},
	{"a Host with a slash", "GET /livez HTTP/1.1\nHost: a/b\n\n", `400 closed`},
	{"a Host with a user", "GET /livez HTTP/1.1\nHost: u@a\n\n", `400 closed`},
	{"a Host that is not ASCII", "GET /livez HTTP/1.1\nHost: é\n\n", `400 closed`},
	{"HTTP/1.0 without a Host", "GET /livez HTTP/1.0\n\n", `200 closed; GET /livez  ""`},
	{"HTTP/1.0 that keeps the connection", "GET /livez HTTP/1.0\nConnection: keep-alive\n\n", `200 kept; GET /livez  ""`},
	{"HTTP/0.9", "GET /livez\n", `400 closed`},
	{"HTTP/0.9 with a version", "GET /livez HTTP/0.9\n\n", `505 closed`},
	{"HTTP/1.2", "GET /livez HTTP/1.2\nHost: a\n\n", `200 kept; GET /livez a ""`},
	{"HTTP/2.0 in text", "GET /livez HTTP/2.0\nHost: a\n\n", `505 closed`},
	{"HTTP/3.0 in text", "GET /livez HTTP/3.0\nHost: a\n\n", `505 closed`},
	{"the preface of HTTP/2", "PRI * HTTP/2.0\n\nSM\n\n", `405 closed; PRI *  ""`},
	{"a version in small letters", "GET /livez http/1.1\nHost: a\n\n", `400 closed`},
	{"a version of two digits", "GET /livez HTTP/1.10\nHost: a\n\n", `400 closed`},
	{"a version without its minor part", "GET /livez HTTP/1\nHost: a\n\n", `400 closed`},
	{"another protocol", "GET /livez ICY/1.1\nHost: a\n\n", `400 closed`},
	{"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01ü\x03\x03\n\n", `400 closed`},
	{"a header of 20 KB", get + "X: " + strings.Repeat("x", 20<<10) + "\n\n", `431 kept; GET /livez a ""`}, // the API refuses it

	{"a header of 40 KB", get + "X: " + strings.Repeat("x", 40<<10) + "\n\n", `431 closed`},
	{"a target of 40 KB", "GET /livez?" + strings.Repeat("x", 40<<10) + " HTTP/1.1\nHost: a\n\n", `431 closed`},
	{"a method of 40 KB", strings.Repeat("G", 40<<10) + " /livez HTTP/1.1\nHost: a\n\n", `431 closed`},
	{"10,000 headers", get + strings.Repeat("X: 1\n", 10000) + "\n", `closed`}, // by the guard
	{"a chunk extension of 40 KB", post + "Transfer-Encoding: chunked\n\n3;" + strings.Repeat("x", 40<<10) + "\nabc\n0\n\n", `401 closed; POST /events a "" broken`},
	{"trailers of 40 KB", post + "Transfer-Encoding: chunked\n\n3\nabc\n0\n" + strings.Repeat("X: 1\n", 8000) + "\n", `401 400 closed; POST /events a "abc" broken`},
	{"Connection: close", post + "Connection: close\nContent-Length: 3\n\nabc" + second, `401 closed; POST /events a "abc"`},
	{"Connection: keep-alive, close", post + "Connection: keep-alive, close\nContent-Length: 3\n\nabc" + second, `401 closed; POST /events a "abc"`},
	{"Connection names Content-Length", post + "Connection: Content-Length\nContent-Length: 3\n\nabc", `401 kept; POST /events a "abc"`},
	{"Connection names Host", get + "Connection: Host\n\n", `200 kept; GET /livez a ""`},
	{"Expect", post + "Expect: 100-continue\nContent-Length: 3\n\nabc", `100 401 kept; POST /events a "abc"`},
	{"Expect without a body", post + "Expect: 100-continue\nContent-Length: 0\n\n", `401 kept; POST /events a ""`},
	{"an unknown Expect", post + "Expect: 200-ok\nContent-Length: 3\n\nabc", `417 closed`},
	{"Expect in HTTP/1.0", "POST /events HTTP/1.0\nHost: a\nExpect: 100-continue\nContent-Length: 3\n\nabc", `401 closed; POST /events a "abc"`},
	{"an upgrade to a WebSocket", get + "Connection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n\n", `200 kept; GET /livez a ""`},
	{"an upgrade to HTTP/2", get + "Connection: Upgrade, HTTP2-Settings\nUpgrade: h2c\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\n\n", `200 kept; GET /livez a ""`},
	{"an upgrade with a body", post + "Connection: Upgrade\nUpgrade: h2c\nContent-Length: 3\n\nabc", `401 kept; POST /events a "abc"`},
	{"a HEAD with a body", "HEAD /livez HTTP/1.1\nHost: a\nContent-Length: 3\n\nabc", `200 closed; HEAD /livez a "abc"`},
}

// probe follows each of the malformed requests on the same connection.
const probe = "GET /livez?probe HTTP/1.1\nHost: probe\n\n"

func TestMalformedRequestsAreJudgedAsNetHTTPJudgesThem(t *testing.T) {
	for _, c := range malformed {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.judgement, judge(t, true, "", c.raw))
			require.Equal(t, judge(t, false, plain, c.raw), judge(t, true, plain, c.raw), "behind a request that the guard answers")
		})
	}
}

// plain is a request that the guard answers itself, unless net/http answers all requests.
const plain = post + "Content-Length: 3\n\nabc"

var lineEnds = strings.NewReplacer("\n", "\r\n", "<LF>", "\n", "<CR>", "\r")

// judge sends a raw request and the probe to a server of their own, and then ends its side of
// the connection. The first request is answered before; it is "" if there is none.
func judge(t *testing.T, byGuard bool, first, raw string) string {
	handler := &witness{}
	connection, err := net.Dial("tcp", serveWith(t, handler, byGuard))
	require.NoError(t, err)
	defer connection.Close()
	require.NoError(t, connection.SetDeadline(time.Now().Add(patience)))
	if first != "" {
		exchange(t, connection, first)
	}
	_, _ = io.WriteString(connection, lineEnds.Replace(raw+probe)) // an error means that the server has closed the connection
	_ = connection.(*net.TCPConn).CloseWrite()

	answers, end := statuses(t, connection), "closed"
	seen := handler.requests()
	if last := len(seen) - 1; last >= 0 && seen[last] == `GET /livez?probe probe ""` {
		end, seen, answers = "kept", seen[:last], answers[:len(answers)-1]
	}
	return strings.Join(append([]string{strings.Join(append(answers, end), " ")}, seen...), "; ")
}

// exchange sends a raw request and reads its answer.
func exchange(t *testing.T, connection net.Conn, raw string) {
	_, err := io.WriteString(connection, lineEnds.Replace(raw))
	require.NoError(t, err)
	response, err := http.ReadResponse(bufio.NewReader(connection), nil)
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, response.Body)
	require.NoError(t, err)
}

var statusLine = regexp.MustCompile(`HTTP/1\.[01] (\d{3}) `)

// statuses reads until the connection ends. The server may reset it, if it has not read all
// that was sent.
func statuses(t *testing.T, connection net.Conn) (all []string) {
	text, err := io.ReadAll(connection)
	if !errors.Is(err, syscall.ECONNRESET) {
		require.NoError(t, err)
	}
	for _, line := range statusLine.FindAllStringSubmatch(string(text), -1) {
		all = append(all, line[1])
	}
	return all
}

// witness notes each request that reaches the handler behind it.
type witness struct {
	next http.Handler

	mu   sync.Mutex
	seen []string
}

// ServeHTTP implements [http.Handler]. It reads the body, and hands it on.
func (w *witness) ServeHTTP(answer http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	seen := fmt.Sprintf("%s %s %s %q", r.Method, r.RequestURI, r.Host, body)
	if err != nil {
		seen += " broken"
	}
	w.mu.Lock()
	w.seen = append(w.seen, seen)
	w.mu.Unlock()
	r.Body = io.NopCloser(bytes.NewReader(body))
	w.next.ServeHTTP(answer, r)
}

func (w *witness) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = nil
}

func (w *witness) requests() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen
}

// serveWith starts the server with a witness before its handler, and returns its address. The
// guard answers plain requests itself, or net/http answers all.
func serveWith(t *testing.T, w *witness, byGuard bool) string {
	c, err := loadConfig([]string{"PORT=0", "HOST=127.0.0.1"})
	require.NoError(t, err)
	logger := slog.New(slog.DiscardHandler)
	options, err := newOptions(c, logger)
	require.NoError(t, err)
	options.ClientMemory = 1 << 30
	signaling, err := server.New(options)
	require.NoError(t, err)
	w.next = signaling.Handler()
	guard := signaling.Guard(guardOptions(c))
	web := newHTTPServer(c, w, nil, guard, logger)
	var moved atomic.Int64 // connections that net/http has got
	web.ConnState = func(connection net.Conn, state http.ConnState) {
		if state == http.StateNew {
			moved.Add(1)
		}
		guard.ConnState(connection, state)
	}
	listener, err := listen(&c)
	require.NoError(t, err)

	var running sync.WaitGroup
	ctx, stop := context.WithCancel(context.Background())
	running.Go(func() { signaling.Run(ctx) })
	running.Go(func() {
		if byGuard {
			_ = serveOn(listener, guard, web)
		} else {
			_ = web.Serve(guard.Listen(listener))
		}
	})
	t.Cleanup(func() {
		web.Close()
		stop()
		running.Wait()
	})
	address := listener.Addr().String()
	if byGuard && runtime.GOOS == "linux" { // the guard answers nothing before it runs
		require.Eventually(t, func() bool {
			connection, err := net.Dial("tcp", address)
			require.NoError(t, err)
			defer connection.Close()
			before := moved.Load()
			exchange(t, connection, plain)
			return moved.Load() == before
		}, patience, time.Millisecond)
		w.forget()
	}
	return address
}
