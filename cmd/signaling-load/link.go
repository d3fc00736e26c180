package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/textproto"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"
)

// A link carries the requests of one client. One goroutine at a time may use it.
type link interface {
	// do sends a request, and returns its answer with the whole body.
	do(request []byte) (reply, error)
	// stream sends a request, and returns the body of its answer, which the caller
	// closes.
	stream(request []byte) (io.ReadCloser, error)
	close()
}

// reply is an answer. Its body is valid until the next request.
type reply struct {
	status     int
	retryAfter time.Duration
	body       []byte
}

// refusal is the error of an answer that has no event.
type refusal struct{ reply }

func (r refusal) Error() string {
	return fmt.Sprintf("%d %s: %s", r.status, http.StatusText(r.status), bytes.TrimSpace(r.body[:min(len(r.body), 300)]))
}

// timeout is how long an answer may take.
const timeout = 30 * time.Second

// dialer returns a dialer for the next client. If the target is this machine, clients
// come from sixteen addresses in turn, each of which has ports of its own.
func dialer(target *url.URL) *net.Dialer {
	d := &net.Dialer{Timeout: timeout}
	ip := net.ParseIP(target.Hostname())
	if target.Hostname() == "localhost" || ip.To4() != nil && ip.IsLoopback() {
		d.LocalAddr = &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(2+sources.Add(1)%16))}
	}
	return d
}

var sources atomic.Uint32

// plain is a link of HTTP/1.1 without TLS: one connection that is kept for requests,
// and one for the stream. It does without net/http's transport, which would cost the
// generator more than the server.
type plain struct {
	dialer *net.Dialer
	host   string
	conn   net.Conn
	from   *bufio.Reader
	body   []byte
}

func newPlain(target *url.URL) *plain {
	host := target.Host
	if target.Port() == "" {
		host = net.JoinHostPort(target.Hostname(), "80")
	}
	return &plain{dialer: dialer(target), host: host}
}

func (p *plain) do(request []byte) (reply, error) {
	for again := p.conn != nil; ; again = false {
		r, err := p.try(request)
		if err == nil {
			return r, nil
		}
		p.close()
		// A server may close an idle connection at any moment (RFC 9112, 9.3.1).
		if !again || !errors.Is(err, errNoAnswer) {
			return reply{}, err
		}
	}
}

// errNoAnswer says that the connection ended before the answer began.
var errNoAnswer = errors.New("the connection ended before an answer")

func (p *plain) try(request []byte) (reply, error) {
	if p.conn == nil {
		conn, err := p.dialer.Dial("tcp", p.host)
		if err != nil {
			return reply{}, err
		}
		p.conn, p.from = conn, bufio.NewReaderSize(conn, 1024)
	}
	if _, err := p.conn.Write(request); err != nil {
		return reply{}, fmt.Errorf("%w: %w", errNoAnswer, err)
	}
	return p.answer()
}

// answer reads the next answer.
func (p *plain) answer() (r reply, err error) {
	line, err := p.from.ReadSlice('\n')
	if err != nil {
		return r, fmt.Errorf("%w: %w", errNoAnswer, err)
	}
	if len(line) < len("HTTP/1.1 200") || !bytes.HasPrefix(line, []byte("HTTP/1.")) {
		return r, fmt.Errorf("the server does not speak HTTP: %q", line)
	}
	r.status = int(number(line[9:12]))
	length, isChunked, closes := 0, false, false
	for {
		line, err := p.from.ReadSlice('\n')
		if err != nil {
			return r, err
		}
		if line = bytes.TrimRight(line, "\r\n"); len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch value = bytes.TrimSpace(value); len(name) {
		case len("Content-Length"):
			if bytes.EqualFold(name, []byte("Content-Length")) {
				length = int(number(value))
			}
		case len("Transfer-Encoding"):
			isChunked = isChunked || bytes.EqualFold(name, []byte("Transfer-Encoding"))
		case len("Connection"):
			closes = closes || bytes.EqualFold(name, []byte("Connection")) && bytes.EqualFold(value, []byte("close"))
			if bytes.EqualFold(name, []byte("Retry-After")) {
				r.retryAfter = time.Duration(number(value)) * time.Second
			}
		}
	}
	if isChunked {
		r.body, err = io.ReadAll(httputil.NewChunkedReader(p.from))
		if err == nil {
			_, err = textproto.NewReader(p.from).ReadMIMEHeader() // the trailers
		}
	} else if length > 0 {
		if cap(p.body) < length {
			p.body = make([]byte, length)
		}
		r.body = p.body[:length]
		_, err = io.ReadFull(p.from, r.body)
	}
	if closes {
		p.close()
	}
	return r, err
}

func (p *plain) stream(request []byte) (io.ReadCloser, error) {
	conn, err := p.dialer.Dial("tcp", p.host)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Write(request); err != nil {
		_ = conn.Close()
		return nil, err
	}
	response, err := http.ReadResponse(bufio.NewReaderSize(conn, 2048), nil)
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	body := struct {
		io.Reader
		io.Closer
	}{response.Body, conn}
	return body, refused(response, body)
}

// refused returns an error, and closes the body, if there is no stream in an answer.
func refused(response *http.Response, body io.ReadCloser) error {
	if response.StatusCode == http.StatusOK {
		return nil
	}
	defer body.Close()
	text, _ := io.ReadAll(io.LimitReader(body, 4096))
	return refusal{reply{status: response.StatusCode, body: text, retryAfter: retryAfter(response)}}
}

func retryAfter(response *http.Response) time.Duration {
	seconds, _ := strconv.Atoi(response.Header.Get("Retry-After"))
	return time.Duration(seconds) * time.Second
}

func (p *plain) close() {
	if p.conn != nil {
		_ = p.conn.Close()
		p.conn = nil
	}
}

// standard is a link of net/http, for TLS, HTTP/2 and proxies. Its connections are its
// own, as a browser's are.
type standard struct {
	target    *url.URL
	transport *http.Transport
}

func newStandard(target *url.URL) *standard {
	return &standard{target, &http.Transport{
		Proxy:             http.ProxyFromEnvironment,
		DialContext:       dialer(target).DialContext,
		ForceAttemptHTTP2: true,
		ReadBufferSize:    2048,
		WriteBufferSize:   2048,
	}}
}

func (s *standard) send(request []byte, ctx context.Context) (*http.Response, error) {
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(request)))
	if err != nil {
		return nil, err
	}
	r.RequestURI, r.URL.Scheme, r.URL.Host = "", s.target.Scheme, s.target.Host
	if r.ContentLength == 0 {
		r.Body = http.NoBody
	}
	return s.transport.RoundTrip(r.WithContext(ctx))
}

func (s *standard) do(request []byte) (r reply, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*timeout)
	defer cancel()
	response, err := s.send(request, ctx)
	if err != nil {
		return r, err
	}
	defer response.Body.Close()
	r.status, r.retryAfter = response.StatusCode, retryAfter(response)
	r.body, err = io.ReadAll(response.Body)
	return r, err
}

func (s *standard) stream(request []byte) (io.ReadCloser, error) {
	response, err := s.send(request, context.Background())
	if err != nil {
		return nil, err
	}
	return response.Body, refused(response, response.Body)
}

func (s *standard) close() { s.transport.CloseIdleConnections() }
