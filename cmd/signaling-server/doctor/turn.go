package doctor

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pion/logging"
	"github.com/pion/stun/v4"
	"github.com/pion/turn/v5"

	"signaling-server/client"
)

// maxICEServers is how many URLs of STUN and TURN servers are tried.
const maxICEServers = 16

// relay tries each STUN and TURN server that the server hands out, with its credentials.
func (e *examiner) relay(ctx context.Context, servers []client.ICEServer) outcome {
	type attempt struct{ url, username, credential string }
	var attempts []attempt
	for _, server := range servers {
		for _, url := range server.URLs {
			if len(attempts) < maxICEServers {
				attempts = append(attempts, attempt{url, server.Username, server.Credential})
			}
		}
	}
	if len(attempts) == 0 {
		return found(Finding{"candidates", Info, "Calls to other networks could not be tested", "The server names no STUN or TURN server.", nameServers, nil})
	}
	findings := make([]Finding, len(attempts))
	var trying sync.WaitGroup
	for i, a := range attempts {
		trying.Go(func() { findings[i] = e.tryICEServer(ctx, a.url, a.username, a.credential) })
	}
	trying.Wait()
	return found(findings...)
}

func (e *examiner) tryICEServer(ctx context.Context, url, username, credential string) Finding {
	ctx, cancel := context.WithTimeout(ctx, 3*e.Timeout)
	defer cancel()
	uri, err := stun.ParseURI(url)
	if err != nil {
		return Finding{"candidates", Warn, "A URL in ICE_SERVERS or TURN_URLS cannot be read", fmt.Sprintf("It is %q.", url), "", nil}
	}
	server := iceServer{uri: uri, username: username, credential: credential, timeout: e.Timeout, tls: &tls.Config{RootCAs: e.Roots, ServerName: uri.Host}}
	if uri.Scheme == stun.SchemeTypeSTUN || uri.Scheme == stun.SchemeTypeSTUNS {
		return server.trySTUN(ctx)
	}
	return server.tryTURN(ctx)
}

// iceServer is one URL of a STUN or TURN server.
type iceServer struct {
	uri                  *stun.URI
	username, credential string
	timeout              time.Duration
	tls                  *tls.Config
}

// String names the server without its credentials.
func (s iceServer) String() string {
	return fmt.Sprintf("%s:%s by %s", s.uri.Scheme, net.JoinHostPort(s.uri.Host, strconv.Itoa(s.uri.Port)), s.transport())
}

func (s iceServer) transport() string {
	switch isSecure := s.uri.Scheme == stun.SchemeTypeTURNS || s.uri.Scheme == stun.SchemeTypeSTUNS; {
	case isSecure && s.uri.Proto == stun.ProtoTypeTCP:
		return "TLS"
	case isSecure:
		return "DTLS"
	case s.uri.Proto == stun.ProtoTypeTCP:
		return "TCP"
	}
	return "UDP"
}

func (s iceServer) found(level Level, title, text, advice string) Finding {
	return Finding{"candidates", level, fmt.Sprintf("%s (%s)", title, s), text, advice, nil}
}

func (s iceServer) trySTUN(ctx context.Context) Finding {
	asking, err := s.dial(ctx)
	if err == nil {
		defer asking.close()
		var own net.Addr
		if own, err = asking.ask(ctx); err == nil {
			return s.found(Good, "Calls reach other networks", fmt.Sprintf("It sees this device at %s.", own), stunWorks)
		}
	}
	return s.lost(Warn, "The STUN server cannot be reached", err, letSTUN)
}

// tryTURN borrows two addresses, and sends a packet from one to the other, as two peers do
// if both of them need the TURN server.
func (s iceServer) tryTURN(ctx context.Context) Finding {
	if s.transport() == "DTLS" {
		return s.found(Info, "A TURN server was not tried", "This program does not speak DTLS.", notTried)
	}
	var lent [2]net.PacketConn
	for i := range lent {
		borrower, err := s.dial(ctx)
		if err != nil {
			return s.unreached(err)
		}
		defer borrower.close()
		if lent[i], err = borrower.borrow(ctx); err != nil {
			return s.unreached(err)
		}
		defer lent[i].Close()
	}
	if err := passOn(lent[0], lent[1], s.timeout); err != nil {
		return s.found(Bad, "The TURN server lends addresses, but relays nothing", fmt.Sprintf("No packet came from %s to %s.", lent[0].LocalAddr(), lent[1].LocalAddr()), letRelay)
	}
	return s.found(Good, "Calls get through strict networks", fmt.Sprintf("It relayed a packet from %s to %s.", lent[0].LocalAddr(), lent[1].LocalAddr()), turnWorks)
}

// unreached says why no address was lent.
func (s iceServer) unreached(err error) Finding {
	var certificate *tls.CertificateVerificationError
	var refused *stun.TurnError
	switch {
	case errors.As(err, &certificate):
		f := judgeCertificate(certificate.UnverifiedCertificates, s.uri.Host, s.tls.RootCAs)
		return s.found(Bad, f.Title, f.Text, f.Advice)
	case errors.As(err, &refused):
		switch code := refused.ErrorCodeAttr.Code; code {
		case stun.CodeUnauthorized, stun.CodeWrongCredentials, stun.CodeStaleNonce, stun.CodeBadRequest:
			return s.found(Bad, "The TURN server refuses the credentials", fmt.Sprintf("It answers %d to those that the server hands out.", code), shareSecret)
		case stun.CodeAllocQuotaReached, stun.CodeInsufficientCapacity:
			return s.found(Warn, "The TURN server is full", fmt.Sprintf("It answers %d.", code), moreRoom)
		default:
			return s.found(Bad, "The TURN server lends no address", fmt.Sprintf("It answers %d.", code), letRelay)
		}
	}
	return s.lost(Bad, "The TURN server cannot be reached", err, letTURN)
}

// lost says why there was no way to a server.
func (s iceServer) lost(level Level, title string, err error, advice string) Finding {
	var unknown *net.DNSError
	switch {
	case errors.As(err, &unknown):
		return s.found(level, title, fmt.Sprintf("DNS knows no address of %s.", s.uri.Host), say(correctRecords, "host", s.uri.Host))
	case s.transport() == "UDP": // nothing but silence says no
		return s.found(level, title, "No answer came in time.", advice)
	}
	return s.found(level, title, sentence(err), advice)
}

// passOn sends packets from one address to the other until one arrives. Each side permits
// the other by sending to it.
func passOn(from, to net.PacketConn, timeout time.Duration) error {
	const text = "doctor"
	deadline := time.Now().Add(timeout)
	if err := to.SetReadDeadline(deadline); err != nil {
		return err
	}
	done := make(chan struct{})
	var sending sync.WaitGroup
	defer sending.Wait()
	defer close(done)
	sending.Go(func() {
		ticker := time.NewTicker(100 * time.Millisecond)
		defer ticker.Stop()
		for time.Now().Before(deadline) {
			for _, way := range [][2]net.PacketConn{{to, from}, {from, to}} {
				if _, err := way[0].WriteTo([]byte(text), way[1].LocalAddr()); err != nil {
					_ = to.SetReadDeadline(time.Now()) // the server refuses to relay there, so nothing will come
					return
				}
			}
			select {
			case <-done:
				return
			case <-ticker.C:
			}
		}
	})
	packet := make([]byte, 64)
	for {
		n, _, err := to.ReadFrom(packet)
		if err != nil || string(packet[:n]) == text {
			return err
		}
	}
}

// borrower is a connection to a STUN or TURN server.
type borrower struct {
	*turn.Client
	conn net.PacketConn
}

func (s iceServer) dial(ctx context.Context) (*borrower, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	addresses, err := net.DefaultResolver.LookupNetIP(ctx, "ip", s.uri.Host)
	if err != nil {
		return nil, err
	}
	address := net.JoinHostPort(addresses[0].Unmap().String(), strconv.Itoa(s.uri.Port))
	conn, err := s.connect(ctx, address)
	if err != nil {
		return nil, err
	}
	silent := logging.NewDefaultLoggerFactory()
	silent.DefaultLogLevel, silent.Writer, silent.ScopeLevels = logging.LogLevelDisabled, io.Discard, nil
	c, err := turn.NewClient(&turn.ClientConfig{
		STUNServerAddr: address, TURNServerAddr: address, Conn: conn,
		Username: s.username, Password: s.credential, LoggerFactory: silent,
		RequestedAddressFamily: turn.RequestedAddressFamilyIPv4, // as browsers do
	})
	if err == nil {
		err = c.Listen()
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return &borrower{c, conn}, nil
}

func (s iceServer) connect(ctx context.Context, address string) (net.PacketConn, error) {
	switch s.transport() {
	case "TCP":
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err != nil {
			return nil, err
		}
		return turn.NewSTUNConn(conn), nil
	case "TLS":
		conn, err := (&tls.Dialer{Config: s.tls}).DialContext(ctx, "tcp", address)
		if err != nil {
			return nil, err
		}
		return turn.NewSTUNConn(conn), nil
	}
	if host, _, _ := net.SplitHostPort(address); strings.Contains(host, ":") {
		return net.ListenPacket("udp6", ":0")
	}
	return net.ListenPacket("udp4", ":0")
}

// ask asks at which address the server sees this device.
func (b *borrower) ask(ctx context.Context) (own net.Addr, err error) {
	stop := context.AfterFunc(ctx, b.Client.Close)
	defer stop()
	return b.SendBindingRequest()
}

// borrow borrows an address.
func (b *borrower) borrow(ctx context.Context) (net.PacketConn, error) {
	conn, err := b.AllocateWithContext(ctx)
	return conn, cmp.Or(ctx.Err(), err)
}

func (b *borrower) close() {
	b.Client.Close()
	b.conn.Close()
}
