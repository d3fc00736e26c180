package conns

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
)

// ListenTLS returns a listener whose connections are counted, and have done their TLS
// handshake. It is for http.Server.Serve. Unlike http.Server.ServeTLS it lets the guard
// see the headers of HTTP/1.
//
// The configuration must name its protocols in NextProtos. [Guard.Run] ends handshakes that
// take too long, and Close ends all of them. A handshake that waits for its certificate
// ends when it has got it.
func (g *Guard) ListenTLS(l net.Listener, config *tls.Config) net.Listener {
	ctx, cancel := context.WithCancel(context.Background())
	e := &encryptedListener{Listener: g.Listen(l), guard: g, config: config, ended: ctx, end: cancel, accepted: make(chan accepted)}
	e.running.Go(e.run)
	return e
}

// encryptedListener is a listener for TLS.
type encryptedListener struct {
	// set once
	net.Listener
	guard  *Guard
	config *tls.Config
	ended  context.Context // done when the listener is closed
	end    context.CancelFunc

	accepted chan accepted
	running  sync.WaitGroup // run
}

// run accepts connections until the listener is closed.
func (l *encryptedListener) run() {
	for l.ended.Err() == nil {
		c, err := l.Listener.Accept()
		if err != nil {
			l.deliver(accepted{err: err})
			continue
		}
		go func() {
			if !l.deliver(accepted{conn: l.shakeHands(c)}) {
				_ = c.Close() // it was not used yet
			}
		}()
	}
}

// deliver waits until Accept takes a result. It returns false if the listener is closed
// before.
func (l *encryptedListener) deliver(a accepted) bool {
	select {
	case l.accepted <- a:
		return true
	case <-l.ended.Done():
		return false
	}
}

// shakeHands returns a connection after its handshake. The guard closes it if that takes
// too long. If the handshake fails, net/http gets the same error when it tries again, and
// reports it.
func (l *encryptedListener) shakeHands(c net.Conn) net.Conn {
	c.RemoteAddr() // reads the PROXY header, if there must be one
	encrypted := tls.Server(c, l.config)
	if encrypted.HandshakeContext(l.ended) != nil {
		return encrypted
	}
	if isHTTP2(encrypted) {
		return encrypted
	}
	return decrypted{encrypted, ours(c)}
}

// isHTTP2 reports whether a connection speaks HTTP/2 over TLS, after its handshake.
func isHTTP2(connection net.Conn) bool {
	encrypted, isTLS := connection.(*tls.Conn)
	return isTLS && encrypted.ConnectionState().NegotiatedProtocol == "h2"
}

// Accept implements [net.Listener].
func (l *encryptedListener) Accept() (net.Conn, error) {
	select {
	case a := <-l.accepted:
		return a.conn, a.err
	case <-l.ended.Done():
		return nil, net.ErrClosed
	}
}

// Close implements [net.Listener].
func (l *encryptedListener) Close() error {
	l.end()
	err := l.Listener.Close()
	l.running.Wait()
	return err
}

// decrypted is a connection that speaks HTTP/1 over TLS. net/http does not know its type,
// so it takes it as it is.
type decrypted struct {
	*tls.Conn
	counted *conn
}

// Read implements [net.Conn].
func (d decrypted) Read(p []byte) (int, error) {
	if !d.counted.mayReadLines(len(p)) {
		return 0, errEnded
	}
	n, err := d.Conn.Read(p)
	d.counted.header.readLines(p[:n])
	return n, err
}
