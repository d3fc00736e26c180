package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"time"
)

// standard is a link of net/http, for TLS, HTTP/2 and proxies. Its connections are the
// client's own, as those of a browser are.
type standard struct {
	server    *url.URL
	transport *http.Transport
	within    time.Duration // how long an answer may take
}

func newStandard(server *url.URL, keepAlive bool, within time.Duration) *standard {
	return &standard{server, &http.Transport{
		Proxy:             http.ProxyFromEnvironment,
		DialContext:       dialer(server, within).DialContext,
		ForceAttemptHTTP2: true,
		DisableKeepAlives: !keepAlive,
		ReadBufferSize:    2048,
		WriteBufferSize:   2048,
		// A node may accept connections, and never answer.
		ResponseHeaderTimeout: within,
	}, within}
}

func (l *standard) send(ctx context.Context, request []byte) (*http.Response, error) {
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(request)))
	if err != nil {
		return nil, err
	}
	r.URL.Scheme, r.URL.Host, r.RequestURI = l.server.Scheme, l.server.Host, ""
	if r.ContentLength == 0 {
		r.Body = http.NoBody
	}
	return l.transport.RoundTrip(r.WithContext(ctx))
}

func (l *standard) do(request []byte) (r reply, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), l.within)
	defer cancel()
	response, err := l.send(ctx, request)
	if err != nil {
		return r, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return reply{response.StatusCode, retryAfter(response), body}, err
}

func (l *standard) stream(request []byte) (io.ReadCloser, error) {
	response, err := l.send(context.Background(), request)
	if err != nil {
		return nil, err
	}
	return streamOf(response, response.Body)
}

func (l *standard) close() { l.transport.CloseIdleConnections() }
