package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"time"
)

// plain is a link of HTTP/1.1 without TLS. It does without net/http's transport, which
// would cost the generator more than the server. It keeps one connection for requests,
// and each stream has its own.
type plain struct {
	dialer    *net.Dialer
	host      string
	keepAlive bool
	within    time.Duration // how long an answer may take

	mu   sync.Mutex
	conn net.Conn
	from *bufio.Reader
}

func newPlain(server *url.URL, keepAlive bool, within time.Duration) *plain {
	host := server.Host
	if server.Port() == "" {
		host = net.JoinHostPort(server.Hostname(), "80")
	}
	return &plain{dialer: dialer(server, within), host: host, keepAlive: keepAlive, within: within}
}

func (p *plain) do(request []byte) (reply, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	isReused := p.conn != nil
	r, err := p.try(request)
	// A server may close an idle connection at any moment (RFC 9112, 9.3.1).
	if isReused && errors.Is(err, errNoAnswer) {
		r, err = p.try(request)
	}
	if !p.keepAlive {
		p.drop()
	}
	return r, err
}

// errNoAnswer is the error of a connection that ended before an answer began.
var errNoAnswer = errors.New("the connection ended before the answer")

func (p *plain) try(request []byte) (r reply, err error) {
	defer func() {
		if err != nil {
			p.drop()
		}
	}()
	if p.conn == nil {
		if p.conn, err = p.dialer.Dial("tcp", p.host); err != nil {
			return r, err
		}
		p.from = bufio.NewReaderSize(p.conn, 1024)
	}
	if err = p.conn.SetDeadline(time.Now().Add(p.within)); err != nil {
		return r, err
	}
	if _, err = p.conn.Write(request); err != nil {
		return r, fmt.Errorf("%w: %w", errNoAnswer, err)
	}
	if _, err = p.from.Peek(1); err != nil {
		return r, fmt.Errorf("%w: %w", errNoAnswer, err)
	}
	return p.answer()
}

// maxBody is more than any answer of this protocol has.
const maxBody = 16 << 20

// answer reads an answer: RFC 9112, sections 4 to 7, as far as servers of this protocol
// use it.
func (p *plain) answer() (r reply, err error) {
	line, err := p.from.ReadSlice('\n')
	if err != nil {
		return r, err
	}
	if len(line) < len("HTTP/1.1 200") || !bytes.HasPrefix(line, []byte("HTTP/1.")) {
		return r, fmt.Errorf("the server does not speak HTTP: it answered %q", line)
	}
	r.status = int(number(line[9:12]))
	length, isChunked, closes := 0, false, false
	for {
		if line, err = p.from.ReadSlice('\n'); err != nil {
			return r, err
		}
		name, value, found := bytes.Cut(bytes.TrimSpace(line), []byte(":"))
		if !found {
			break
		}
		// The length saves a comparison for most lines.
		switch value = bytes.TrimSpace(value); len(name) {
		case len("Content-Length"):
			if bytes.EqualFold(name, []byte("Content-Length")) {
				length = int(number(value))
			}
		case len("Transfer-Encoding"):
			isChunked = isChunked || bytes.EqualFold(name, []byte("Transfer-Encoding"))
		case len("Connection"):
			closes = closes || bytes.EqualFold(name, []byte("Connection")) && bytes.EqualFold(value, []byte("close"))
		case len("Retry-After"):
			if bytes.EqualFold(name, []byte("Retry-After")) {
				r.retryAfter = time.Duration(number(value)) * time.Second
			}
		}
	}
	switch {
	case isChunked:
		r.body, err = io.ReadAll(io.LimitReader(httputil.NewChunkedReader(p.from), maxBody))
		if err == nil {
			_, err = p.from.Discard(len("\r\n")) // there are no trailers
		}
	case length < 0 || length > maxBody:
		err = fmt.Errorf("the length of an answer is not valid: %d", length)
	case length > 0:
		r.body = make([]byte, length)
		_, err = io.ReadFull(p.from, r.body)
	}
	if closes {
		p.drop()
	}
	return r, err
}

func (p *plain) stream(request []byte) (io.ReadCloser, error) {
	conn, err := p.dialer.Dial("tcp", p.host)
	if err != nil {
		return nil, err
	}
	response, err := p.ask(conn, request)
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	// The connection closes more than the body would, which waits for the end.
	return streamOf(response, struct {
		io.Reader
		io.Closer
	}{response.Body, conn})
}

// ask sends a request, and reads the header of its answer.
func (p *plain) ask(conn net.Conn, request []byte) (*http.Response, error) {
	if err := conn.SetDeadline(time.Now().Add(p.within)); err != nil {
		return nil, err
	}
	if _, err := conn.Write(request); err != nil {
		return nil, err
	}
	response, err := http.ReadResponse(bufio.NewReaderSize(conn, 2048), nil)
	if err != nil {
		return nil, err
	}
	return response, conn.SetDeadline(time.Time{})
}

func (p *plain) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drop()
}

func (p *plain) drop() {
	if p.conn != nil {
		_ = p.conn.Close()
		p.conn, p.from = nil, nil
	}
}
