package e2e

import (
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// faultyProxy passes TCP connections on to the server, like a network that fails in
// every way. At random bytes, in both directions, it cuts the connection, holds it up,
// or swallows the rest. It does not know HTTP: only half of a request arrives, or the
// server does what a request asks, and the answer is lost.
type faultyProxy struct {
	// set once
	url      string
	upstream string
	seed     uint64
	listener net.Listener
	running  sync.WaitGroup
	healed   chan struct{} // closed when nothing fails any more
	isCalm   atomic.Bool   // nothing fails now

	open    openConnections
	figures faultFigures
}

// faultFigures counts what happened to the connections.
type faultFigures struct {
	connections, finCuts, rstCuts, stalls, delays, truncations atomic.Int64
}

const (
	// meanBytesUp and meanBytesDown are how much a connection carries between two
	// faults on average, in each direction: a few requests, and a few seconds of a
	// stream.
	meanBytesUp   = 3 << 10
	meanBytesDown = 8 << 10

	longestDelay = 200 * time.Millisecond
	longestStall = 6 * time.Second // the clients give up after 2.5 s of silence
)

// startFaultyProxy starts a proxy to the server. The same seed makes the same choices
// for the first connection, the second, and so on.
func startFaultyProxy(t *testing.T, serverURL string, seed uint64) *faultyProxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &faultyProxy{
		url:      "http://" + listener.Addr().String(),
		upstream: strings.TrimPrefix(serverURL, "http://"),
		seed:     seed,
		listener: listener,
		healed:   make(chan struct{}),
		open:     openConnections{all: make(map[net.Conn]bool)},
	}
	p.running.Go(p.accept) // ends with the listener
	t.Cleanup(func() {
		listener.Close()
		p.open.cut()
		p.running.Wait()
	})
	return p
}

// heal ends all faults for good. It is called once.
func (p *faultyProxy) heal() { close(p.healed) }

func (p *faultyProxy) accept() {
	for number := uint64(0); ; number++ {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.figures.connections.Add(1)
		p.running.Go(func() { p.pass(client.(*net.TCPConn), number) }) // ends with the connection, or when all are cut
	}
}

// pass copies in both directions until both have ended.
func (p *faultyProxy) pass(client *net.TCPConn, number uint64) {
	defer client.Close()
	dialed, err := net.Dial("tcp", p.upstream)
	if err != nil {
		return
	}
	defer dialed.Close()
	server := dialed.(*net.TCPConn)
	if !p.open.add(client, server) {
		return
	}
	defer p.open.forget(client, server)

	up := &pipe{proxy: p, from: client, to: server, mean: meanBytesUp, dice: rand.New(rand.NewPCG(p.seed, 2*number))}
	down := &pipe{proxy: p, from: server, to: client, mean: meanBytesDown, dice: rand.New(rand.NewPCG(p.seed, 2*number+1))}
	var copying sync.WaitGroup
	copying.Go(up.run)
	copying.Go(down.run)
	copying.Wait()
}

// pipe is one direction of a connection. One goroutine runs it.
type pipe struct {
	proxy *faultyProxy
	from  *net.TCPConn
	to    *net.TCPConn
	mean  float64    // bytes from one fault to the next
	dice  *rand.Rand // draws where and how it fails
}

var (
	errCut       = errors.New("the connection was cut")
	errTruncated = errors.New("the rest is to be swallowed")
)

// run copies until the sender ends, and passes the end on to the receiver.
func (p *pipe) run() {
	buffer := make([]byte, 4<<10)
	next := p.untilFault()
	for {
		n, err := p.from.Read(buffer)
		for rest := buffer[:n]; len(rest) > 0; {
			now := rest[:min(len(rest), next)]
			if _, failed := p.to.Write(now); failed != nil {
				p.cut(p.hangUp)
				return
			}
			rest = rest[len(now):]
			if next -= len(now); next > 0 {
				continue
			}
			next = p.untilFault()
			switch p.fail() {
			case errCut:
				return
			case errTruncated:
				p.to.CloseWrite()
				io.Copy(io.Discard, p.from) // the sender believes that all of it arrives
				return
			}
		}
		if err != nil {
			p.to.CloseWrite()
			return
		}
	}
}

// untilFault draws how many bytes pass before the next fault.
func (p *pipe) untilFault() int { return 1 + int(p.dice.ExpFloat64()*p.mean) }

// fail makes one of the faults, unless the network is healed.
func (p *pipe) fail() error {
	select {
	case <-p.proxy.healed:
		return nil
	default:
	}
	if p.proxy.isCalm.Load() {
		return nil
	}
	count := &p.proxy.figures
	switch one := p.dice.IntN(100); {
	case one < 20:
		count.finCuts.Add(1)
		return p.cut(p.hangUp)
	case one < 40:
		count.rstCuts.Add(1)
		return p.cut(p.reset)
	case one < 55:
		count.truncations.Add(1)
		return errTruncated
	case one < 70:
		count.stalls.Add(1)
		p.wait(longestStall)
		if p.dice.IntN(2) == 0 {
			return p.cut(p.reset)
		}
		return nil
	default:
		count.delays.Add(1)
		p.wait(longestDelay)
		return nil
	}
}

// wait lets nothing pass for a while. What was held up goes on afterwards, even if the
// client gave up long ago.
func (p *pipe) wait(longest time.Duration) {
	select {
	case <-time.After(time.Duration(p.dice.Int64N(int64(longest)))):
	case <-p.proxy.healed:
	}
}

// cut ends both directions at once.
func (p *pipe) cut(end func(*net.TCPConn)) error {
	end(p.from)
	end(p.to)
	return errCut
}

func (p *pipe) hangUp(c *net.TCPConn) { c.Close() }

func (p *pipe) reset(c *net.TCPConn) { reset(c) }
