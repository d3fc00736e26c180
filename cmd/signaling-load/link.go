package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"
)

// A link carries the requests of one client. Its methods may be called at once.
type link interface {
	// do sends a request, and returns its answer with the whole body.
	do(request []byte) (reply, error)
	// stream sends a request, and returns the body of its answer. The caller closes it.
	stream(request []byte) (io.ReadCloser, error)
	// close closes idle connections. A later request opens a new one.
	close()
}

// patience is how long a request may take: longer than a poll that waits.
const patience = time.Minute

// repeatAfter is how long the shipped clients wait for the answer to a POST.
const repeatAfter = 15 * time.Second

// reply is an answer.
type reply struct {
	status     int
	retryAfter time.Duration
	body       []byte
}

// refusal is the error of an answer that reports no success.
type refusal struct{ reply }

func (r refusal) Error() string {
	text := bytes.TrimSpace(r.body[:min(len(r.body), 300)])
	return fmt.Sprintf("%d %s: %s", r.status, http.StatusText(r.status), text)
}

// orRefused returns an error if the answer refuses.
func (r reply) orRefused(err error) (reply, error) {
	if err == nil && r.status/100 != 2 {
		err = refusal{r}
	}
	return r, err
}

// streamOf returns the body of an answer. If the answer refuses, it closes the body and
// returns an error.
func streamOf(response *http.Response, body io.ReadCloser) (io.ReadCloser, error) {
	if response.StatusCode == http.StatusOK {
		return body, nil
	}
	defer body.Close()
	text, _ := io.ReadAll(io.LimitReader(body, 4096))
	return nil, refusal{reply{response.StatusCode, retryAfter(response), text}}
}

func retryAfter(response *http.Response) time.Duration {
	seconds, _ := strconv.Atoi(response.Header.Get("Retry-After"))
	return time.Duration(seconds) * time.Second
}

// dialer returns a dialer for the next client. If the server is on this machine,
// clients use sixteen addresses in turn: one address has only 28,000 ports.
func dialer(server *url.URL, within time.Duration) *net.Dialer {
	d := &net.Dialer{Timeout: within}
	ip := net.ParseIP(server.Hostname()).To4()
	if manyAddresses && ip != nil && ip.IsLoopback() {
		d.LocalAddr = &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(2+addresses.Add(1)%16))}
	}
	return d
}

var addresses atomic.Uint32
