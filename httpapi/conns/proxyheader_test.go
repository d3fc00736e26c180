package conns_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/pires/go-proxyproto"
	"github.com/pires/go-proxyproto/tlvparse"
	"github.com/stretchr/testify/require"

	"signaling-server/httpapi/clientip"
	"signaling-server/httpapi/conns"
)

// behindProxy are options for a server to which only there is a trusted proxy.
func behindProxy(perAddress int) conns.Options {
	return conns.Options{PerAddress: perAddress, ProxyProtocol: true, HeaderTimeout: patience,
		Exempt: clientip.Proxies{netip.MustParsePrefix(there + "/32")}}
}

// header returns a PROXY header that names a client.
func header(t *testing.T, version byte, client string, fields ...proxyproto.TLV) []byte {
	t.Helper()
	source := net.TCPAddrFromAddrPort(netip.MustParseAddrPort(client))
	h := proxyproto.HeaderProxyFromAddrs(version, source, &net.TCPAddr{IP: source.IP, Port: 443})
	require.NoError(t, h.SetTLVs(fields))
	text, err := h.Format()
	require.NoError(t, err)
	return text
}

// dialBy connects through the proxy at an address, which first sends some bytes.
func (s *server) dialBy(t *testing.T, proxy string, first []byte) *client {
	t.Helper()
	c := s.dial(t, proxy)
	_, err := c.Write(first)
	require.NoError(t, err)
	return c
}

func TestThePROXYHeaderOfATrustedProxyNamesTheClient(t *testing.T) {
	byTLS, err := tlvparse.PP2SSL{
		Client: tlvparse.PP2_BITFIELD_CLIENT_SSL,
		TLV:    []proxyproto.TLV{{Type: proxyproto.PP2_SUBTYPE_SSL_VERSION, Value: []byte("TLSv1.3")}},
	}.Marshal()
	require.NoError(t, err)
	const proxyItself = ""
	for name, c := range map[string]struct {
		first []byte
		want  string
	}{
		"version 1":           {[]byte("PROXY TCP4 192.0.2.1 198.51.100.7 40000 443\r\n"), "192.0.2.1:40000 192.0.2.1/32 false"},
		"version 1, IPv6":     {[]byte("PROXY TCP6 2001:db8::1 2001:db8::2 40000 443\r\n"), "[2001:db8::1]:40000 2001:db8::/64 false"},
		"version 1, UNKNOWN":  {[]byte("PROXY UNKNOWN\r\n"), proxyItself},
		"version 2":           {header(t, 2, "192.0.2.1:40000"), "192.0.2.1:40000 192.0.2.1/32 false"},
		"version 2, IPv6":     {header(t, 2, "[2001:db8::1]:40000"), "[2001:db8::1]:40000 2001:db8::/64 false"},
		"version 2, with TLS": {header(t, 2, "192.0.2.1:40000", byTLS), "192.0.2.1:40000 192.0.2.1/32 true"},
		"version 2, LOCAL":    {[]byte("\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"), proxyItself},
		"version 2, AF_UNIX":  {append([]byte("\r\n\r\n\x00\r\nQUIT\n\x21\x31\x00\xd8"), make([]byte, 216)...), proxyItself},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, behindProxy(10))
			client := s.dialBy(t, there, c.first)
			want := c.want
			if want == proxyItself {
				want = client.LocalAddr().String() + " " + there + "/32 false"
			}
			require.Equal(t, want, client.mustAsk(t, "/who"))
			require.Equal(t, want, client.mustAsk(t, "/who"), "in the next request over this connection, too")
		})
	}
}

func TestThePROXYHeaderComesBeforeTLS(t *testing.T) {
	s := newServer(t, behindProxy(10), func(h *httptest.Server) { h.TLS, h.EnableHTTP2 = new(tls.Config), true })
	for _, protocol := range []string{"http/1.1", "h2"} {
		transport := &http.Transport{DialTLSContext: func(context.Context, string, string) (net.Conn, error) {
			below := s.dialBy(t, there, header(t, 2, "192.0.2.1:40000"))
			return tls.Client(below.Conn, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{protocol}}), nil
		}, ForceAttemptHTTP2: true}
		response, err := (&http.Client{Transport: transport}).Get(s.URL + "/who")
		require.NoError(t, err)
		text, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		response.Body.Close()
		transport.CloseIdleConnections()
		require.Equal(t, "192.0.2.1:40000 192.0.2.1/32 false", string(text))
		require.Equal(t, protocol == "h2", response.ProtoMajor == 2)
	}
}

// Anybody could name another address. What does not come from a trusted proxy is served as
// if there were no PROXY protocol, so such a header is not HTTP.
func TestThePROXYHeaderOfAnybodyElseIsNotRead(t *testing.T) {
	s := newServer(t, behindProxy(10))
	c := s.dial(t, here)
	require.Equal(t, c.LocalAddr().String()+" "+here+"/32 false", c.mustAsk(t, "/who"), "no header is needed")
	for _, version := range []byte{1, 2} {
		liar := s.dialBy(t, here, header(t, version, "192.0.2.1:40000"))
		_, err := liar.Write([]byte("GET /who HTTP/1.1\r\nHost: localhost\r\n\r\n"))
		require.NoError(t, err)
		response, err := http.ReadResponse(liar.reader, nil)
		require.NoError(t, err)
		require.Equal(t, http.StatusBadRequest, response.StatusCode)
		response.Body.Close()
	}
}

func TestAConnectionOfATrustedProxyWithoutAPROXYHeaderIsClosed(t *testing.T) {
	o := behindProxy(10)
	o.HeaderTimeout = moment
	for name, first := range map[string]string{
		"a request":                   "GET /who HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"a handshake":                 "\x16\x03\x01",
		"silence":                     "",
		"half a header":               "PROXY TCP4 192.0",
		"half a header of version 2":  "\r\n\r\n\x00\r\nQUIT\n\x21",
		"a header that never ends":    "PROXY TCP4 " + string(bytes.Repeat([]byte("1"), 200)),
		"a long header of version 2":  "\r\n\r\n\x00\r\nQUIT\n\x21\x11\xff\xff",
		"an address that is not one":  "PROXY TCP4 localhost 198.51.100.7 40000 443\r\n",
		"an address of datagrams":     "\r\n\r\n\x00\r\nQUIT\n\x21\x12\x00\x0c" + "\xc0\x00\x02\x01\xc0\x00\x02\x02\x00\x01\x00\x02",
		"an address without a family": "\r\n\r\n\x00\r\nQUIT\n\x21\x00\x00\x00",
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, o)
			c := s.dialBy(t, there, []byte(first))
			require.True(t, c.isClosed(t, patience))
			require.Zero(t, c.reader.Buffered(), "nothing was answered")
			s.becomes(t, func(c conns.Counts) bool { return c == conns.Counts{} && s.count(conns.NoProxyHeader) == 1 })
		})
	}
}

// The proxy itself may have any number of connections, but each of its clients has a bound.
func TestTheClientOfThePROXYHeaderHasTheBoundOfAnAddress(t *testing.T) {
	s := newServer(t, behindProxy(2))
	by := func(client string) *client { return s.dialBy(t, there, header(t, 2, client)) }
	idle := func(want int) { s.becomes(t, func(c conns.Counts) bool { return c == conns.Counts{Idle: want} }) }

	first := by("192.0.2.1:1")
	require.Equal(t, "false", first.mustAsk(t, "/"))
	idle(1)
	by("192.0.2.1:2").mustAsk(t, "/")
	neighbour := by("192.0.2.2:1")
	neighbour.mustAsk(t, "/")
	idle(3)
	third := by("192.0.2.1:3")
	third.mustAsk(t, "/")
	require.True(t, first.isClosed(t, patience), "the oldest idle connection of the same client")
	require.False(t, neighbour.isClosed(t, moment))
	require.Equal(t, 1, s.count(conns.MadeRoom))
	for range 5 {
		s.dialBy(t, there, []byte("PROXY UNKNOWN\r\n")).mustAsk(t, "/")
	}
	idle(8)

	for n := range 2 {
		by("192.0.2.3:"+string(rune('1'+n))).mustAsk(t, "/hold")
	}
	_, err := by("192.0.2.3:3").ask("/")
	require.Error(t, err, "both connections of this client are in use")
	require.Equal(t, 1, s.count(conns.AddressFull))
	require.Zero(t, s.count(conns.NoProxyHeader))
}

// A proxy may send a PROXY header long after it has connected. Meanwhile other connections
// go on.
func TestASlowPROXYHeaderHoldsUpNobody(t *testing.T) {
	s := newServer(t, behindProxy(10))
	slow := s.dial(t, there)
	for range 3 {
		require.Equal(t, "false", s.dialBy(t, there, header(t, 1, "192.0.2.1:1")).mustAsk(t, "/"))
		require.Equal(t, "false", s.dial(t, here).mustAsk(t, "/"))
	}
	time.Sleep(moment) // nothing is awaited here: the header comes late
	_, err := slow.Write(header(t, 1, "192.0.2.9:1"))
	require.NoError(t, err)
	require.Equal(t, "192.0.2.9:1 192.0.2.9/32 false", slow.mustAsk(t, "/who"))
}

// net/http closes the sending half after an answer to a request whose body it has not read,
// so that the client can read that answer.
func TestARefusedBodyBehindAPROXYHeaderGetsItsAnswer(t *testing.T) {
	s := newServer(t, behindProxy(10))
	c := s.dialBy(t, there, header(t, 2, "192.0.2.1:1"))
	request := append([]byte("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10000000\r\n\r\n"), make([]byte, 1<<20)...)
	_, _ = c.Write(request) // the server may close the connection meanwhile
	response, err := http.ReadResponse(bufio.NewReader(c.Conn), nil)
	require.NoError(t, err)
	response.Body.Close()
	require.Equal(t, http.StatusOK, response.StatusCode)
}
