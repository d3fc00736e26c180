package fleet

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// checkEvery is how often the proxy asks each node whether it is ready.
const checkEvery = 200 * time.Millisecond

// proxy sends each request to the next node that is ready, as a load balancer without
// stickiness does. If none is ready, it sends the request to the next one all the same.
type proxy struct {
	// set once
	url       string
	nodes     []*upstream
	server    http.Server
	transport *http.Transport
	answered  func(Answer) // nil: nobody wants to know
	running   sync.WaitGroup
	end       context.CancelFunc // ends the questions

	turn atomic.Uint64
}

// upstream is a node as the proxy knows it.
type upstream struct {
	*Process
	isOut atomic.Bool
}

func startProxy(address string, nodes []*Process, answered func(Answer)) (*proxy, error) {
	listener, err := net.Listen("tcp", cmp.Or(address, "127.0.0.1:0"))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &proxy{
		url:       "http://" + strings.Replace(listener.Addr().String(), "127.0.0.1", "localhost", 1),
		transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true},
		answered:  answered,
		end:       cancel,
	}
	for _, node := range nodes {
		u := &upstream{Process: node}
		p.nodes = append(p.nodes, u)
		p.running.Go(func() { u.watch(ctx) }) // ends with ctx
	}
	forward := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme = "http"
			r.SetXForwarded()
		},
		Transport:     p,
		FlushInterval: -1,                         // a stream passes as it comes
		ErrorLog:      log.New(io.Discard, "", 0), // nodes are killed on purpose
	}
	p.server.Handler = forward
	p.running.Go(func() { p.server.Serve(listener) }) // ends with the server
	return p, nil
}

func (p *proxy) close() {
	p.end()
	p.server.Close()
	p.running.Wait()
	p.transport.CloseIdleConnections()
}

// RoundTrip sends a request to the next node. If that takes no connection, nothing of the
// request was sent, and the node after it is next.
func (p *proxy) RoundTrip(r *http.Request) (*http.Response, error) {
	body := r.Body
	if body != nil && body != http.NoBody {
		r.Body = io.NopCloser(body) // the next node may get it, and ReverseProxy closes it
	}
	var failed error
	for _, node := range p.inTurn() {
		r.URL.Host = node.address
		asked := time.Now()
		response, err := p.transport.RoundTrip(r)
		if p.answered != nil {
			a := Answer{node.Name, r.Method, r.URL.Path, r.Header.Get("Idempotency-Key"), 0, asked}
			if err == nil {
				a.Status = response.StatusCode
			}
			p.answered(a)
		}
		var network *net.OpError
		if err == nil || !errors.As(err, &network) || network.Op != "dial" {
			return response, err
		}
		node.isOut.Store(true)
		failed = err
	}
	return nil, failed
}

// inTurn returns all nodes, beginning with the next. Those that are ready come first.
func (p *proxy) inTurn() []*upstream {
	first := int(p.turn.Add(1) % uint64(len(p.nodes)))
	var ready, out []*upstream
	for i := range p.nodes {
		node := p.nodes[(first+i)%len(p.nodes)]
		if node.isOut.Load() {
			out = append(out, node)
		} else {
			ready = append(ready, node)
		}
	}
	return append(ready, out...)
}

// watch asks a node again and again whether it is ready, until ctx is done.
func (u *upstream) watch(ctx context.Context) {
	for ctx.Err() == nil {
		_, err := u.get(ctx, u.ready)
		u.isOut.Store(err != nil)
		select {
		case <-ctx.Done():
		case <-time.After(checkEvery):
		}
	}
}
