package clientip_test

import (
	"crypto/tls"
	"net/http"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"signaling-server/httpapi/clientip"
)

var trusted = clientip.Proxies{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}

func request(remote string, legacy, standard []string) *http.Request {
	r := &http.Request{RemoteAddr: remote, Header: http.Header{}}
	for _, value := range legacy {
		r.Header.Add("X-Forwarded-For", value)
	}
	for _, value := range standard {
		r.Header.Add("Forwarded", value)
	}
	return r
}

func TestOfBelievesTrustedProxiesOnly(t *testing.T) {
	for _, c := range []struct {
		what             string
		remote           string
		legacy, standard []string
		want             string
	}{
		{"nobody between", "192.0.2.1:5", nil, nil, "192.0.2.1"},
		{"a client that names another", "192.0.2.1:5", []string{"198.51.100.7"}, []string{"for=198.51.100.7"}, "192.0.2.1"},
		{"a client that claims to be a proxy", "192.0.2.1:5", []string{"10.0.0.1"}, nil, "192.0.2.1"},
		{"one proxy", "10.0.0.1:5", []string{"192.0.2.1"}, nil, "192.0.2.1"},
		{"a proxy that says nothing", "10.0.0.1:5", nil, nil, "10.0.0.1"},
		{"what a client put in front", "10.0.0.1:5", []string{"198.51.100.7, 192.0.2.1"}, nil, "192.0.2.1"},
		{"a trusted address that a client put in front", "10.0.0.1:5", []string{"10.0.0.9, 192.0.2.1"}, nil, "192.0.2.1"},
		{"a line of its own that a client put in front", "10.0.0.1:5", []string{"198.51.100.7", "192.0.2.1"}, nil, "192.0.2.1"},
		{"two proxies", "10.0.0.1:5", []string{"198.51.100.7, 192.0.2.1, 10.0.0.2"}, nil, "192.0.2.1"},
		{"proxies alone", "10.0.0.1:5", []string{"10.0.0.3, 10.0.0.2"}, nil, "10.0.0.3"},
		{"a hidden address", "10.0.0.1:5", []string{"198.51.100.7, unknown, 10.0.0.2"}, nil, "10.0.0.2"},
		{"rubbish", "10.0.0.1:5", []string{"198.51.100.7, <script>"}, nil, "10.0.0.1"},
		{"with ports", "10.0.0.1:5", []string{"192.0.2.1:8080"}, nil, "192.0.2.1"},
		{"IPv6", "[fd00::1]:5", []string{"[2001:db8::1]:443"}, nil, "2001:db8::1"},
		{"IPv6 with a zone", "[fd00::1]:5", []string{"fe80::1%eth0"}, nil, "fe80::1"},
		{"IPv4 as IPv6", "[::ffff:10.0.0.1]:5", []string{"::ffff:192.0.2.1"}, nil, "192.0.2.1"},
		{"the standard", "10.0.0.1:5", nil, []string{`for=198.51.100.7, For="[2001:db8::1]:443";proto=https;by=10.0.0.1`}, "2001:db8::1"},
		{"the standard, hidden", "10.0.0.1:5", nil, []string{`for=198.51.100.7, for=_secret`}, "10.0.0.1"},
		{"the standard, without “for”", "10.0.0.1:5", nil, []string{`for=198.51.100.7, proto=https`}, "10.0.0.1"},
		{"both, which agree", "10.0.0.1:5", []string{"192.0.2.1"}, []string{"for=192.0.2.1"}, "192.0.2.1"},
		{"both, which disagree", "10.0.0.1:5", []string{"192.0.2.1"}, []string{"for=198.51.100.7"}, "10.0.0.1"},
	} {
		require.Equal(t, c.want, trusted.Of(request(c.remote, c.legacy, c.standard)).String(), c.what)
	}
}

// Some proxies know only X-Real-IP. Any other header says more.
func TestOfReadsXRealIPOnlyIfThereIsNoOtherHeader(t *testing.T) {
	for _, c := range []struct {
		what             string
		remote           string
		legacy, standard []string
		real             []string
		want             string
	}{
		{"from a trusted proxy", "10.0.0.1:5", nil, nil, []string{"192.0.2.1"}, "192.0.2.1"},
		{"from anybody else", "192.0.2.9:5", nil, nil, []string{"192.0.2.1"}, "192.0.2.9"},
		{"beside X-Forwarded-For", "10.0.0.1:5", []string{"192.0.2.1"}, nil, []string{"198.51.100.7"}, "192.0.2.1"},
		{"beside Forwarded", "10.0.0.1:5", nil, []string{"for=192.0.2.1"}, []string{"198.51.100.7"}, "192.0.2.1"},
		{"beside an X-Forwarded-For that is empty", "10.0.0.1:5", []string{""}, nil, []string{"198.51.100.7"}, "10.0.0.1"},
		{"in two lines, the first from the client", "10.0.0.1:5", nil, nil, []string{"198.51.100.7", "192.0.2.1"}, "192.0.2.1"},
		{"IPv6", "10.0.0.1:5", nil, nil, []string{"2001:db8::1"}, "2001:db8::1"},
		{"a list", "10.0.0.1:5", nil, nil, []string{"198.51.100.7, 192.0.2.1"}, "10.0.0.1"},
		{"rubbish", "10.0.0.1:5", nil, nil, []string{"unix:"}, "10.0.0.1"},
	} {
		r := request(c.remote, c.legacy, c.standard)
		for _, value := range c.real {
			r.Header.Add("X-Real-IP", value)
		}
		require.Equal(t, c.want, trusted.Of(r).String(), c.what)
	}
}

// A peer on a Unix socket has no address.
func TestAPeerOnAUnixSocketIsTrustedByName(t *testing.T) {
	for _, remote := range []string{"@", "", "/run/proxy.sock"} {
		r := request(remote, []string{"198.51.100.7, 192.0.2.1"}, nil)
		require.Equal(t, "192.0.2.1", clientip.Proxies{clientip.UnixSocket}.Of(r).String(), remote)
		require.False(t, trusted.Of(r).IsValid(), "no trusted network contains it")
	}
	r := request("192.0.2.9:5", []string{"198.51.100.7, , unknown"}, nil)
	require.Equal(t, "192.0.2.9", clientip.Proxies{clientip.UnixSocket}.Of(r).String(), "what is not an address is not a Unix socket")
}

func TestExamineSaysWhatIsDoubtful(t *testing.T) {
	for _, c := range []struct {
		what             string
		remote           string
		legacy, standard []string
		want             clientip.Doubt
	}{
		{"nothing", "10.0.0.1:5", []string{"198.51.100.7, 192.0.2.1"}, nil, ""},
		{"a client in a private network", "10.0.0.1:5", []string{"192.168.1.7"}, nil, ""},
		{"a proxy that is not trusted", "192.0.2.1:5", []string{"rubbish"}, []string{"for=192.0.2.1"}, ""},
		{"both headers, which agree", "10.0.0.1:5", []string{"192.0.2.1"}, []string{"for=192.0.2.1"}, ""},
		{"both headers, which disagree", "10.0.0.1:5", []string{"192.0.2.1"}, []string{"for=198.51.100.7"}, clientip.Contradiction},
		{"nginx on a Unix socket", "10.0.0.1:5", []string{"198.51.100.7, unix:"}, nil, clientip.NoAddress},
		{"a hidden client", "10.0.0.1:5", nil, []string{"for=_hidden"}, clientip.NoAddress},
		{"a proxy in the same network", "10.0.0.1:5", []string{"192.0.2.1, 172.17.0.1"}, nil, clientip.OtherProxy},
		{"a proxy on the same machine", "10.0.0.1:5", nil, []string{"for=192.0.2.1, for=127.0.0.1"}, clientip.OtherProxy},
	} {
		r := request(c.remote, c.legacy, c.standard)
		address, doubt := trusted.Examine(r)
		require.Equal(t, c.want, doubt, c.what)
		require.Equal(t, trusted.Of(r), address, c.what)
	}
}

// A proxy may hide the port of the client (RFC 7239, 6.3).
func TestAHiddenPortHidesNoAddress(t *testing.T) {
	for node, want := range map[string]string{
		`"192.0.2.1:_x"`:             "192.0.2.1",
		`"192.0.2.1:_SEVKISEK.a-b_"`: "192.0.2.1",
		`"[2001:db8::1]:_x"`:         "2001:db8::1",
		`"[::ffff:192.0.2.1]:_8080"`: "192.0.2.1",
		`192.0.2.1:_x`:               "192.0.2.1", // without the quotation marks that it needs
		`"192.0.2.1:_"`:              "10.0.0.1",
		`"192.0.2.1:x"`:              "10.0.0.1",
		`"192.0.2.1:_x:80"`:          "10.0.0.1",
		`"192.0.2.1:_x y"`:           "10.0.0.1",
		`"2001:db8::1:_x"`:           "10.0.0.1", // without the brackets that it needs
		`"_hidden:_x"`:               "10.0.0.1",
		`":_x"`:                      "10.0.0.1",
	} {
		r := request("10.0.0.1:5", nil, []string{"for=" + node + ";proto=https"})
		require.Equal(t, want, trusted.Of(r).String(), node)
		require.True(t, trusted.IsEncrypted(r))
	}
}

func TestOnlyATrustedProxySaysThatTheClientUsedHTTPS(t *testing.T) {
	for _, c := range []struct {
		what             string
		remote           string
		legacy, standard []string
		want             bool
	}{
		{"nothing", "10.0.0.1:5", nil, nil, false},
		{"a trusted proxy", "10.0.0.1:5", []string{"https"}, nil, true},
		{"a trusted proxy, in upper case", "10.0.0.1:5", []string{"HTTPS"}, nil, true},
		{"a trusted proxy, by the standard", "10.0.0.1:5", nil, []string{`for=192.0.2.1;proto=https`}, true},
		{"a trusted proxy, by the standard in quotes", "10.0.0.1:5", nil, []string{`Proto="https" ; for=192.0.2.1`}, true},
		{"a trusted proxy that got it by http", "10.0.0.1:5", []string{"http"}, nil, false},
		{"a client", "192.0.2.1:5", []string{"https"}, []string{"proto=https"}, false},
		{"what a client put in front", "10.0.0.1:5", []string{"https, http"}, nil, false},
		{"what a client put in front, in a line", "10.0.0.1:5", []string{"https", "http"}, nil, false},
		{"what a client put in front, by the standard", "10.0.0.1:5", nil, []string{"proto=https, for=192.0.2.1;proto=http"}, false},
		{"the standard says nothing of it", "10.0.0.1:5", []string{"https"}, []string{"for=192.0.2.1"}, true},
		{"both, which disagree", "10.0.0.1:5", []string{"https"}, []string{"proto=http"}, false},
		{"rubbish", "10.0.0.1:5", []string{"httpsx, "}, []string{"proto="}, false},
	} {
		r := &http.Request{RemoteAddr: c.remote, Header: http.Header{"X-Forwarded-Proto": c.legacy, "Forwarded": c.standard}}
		require.Equal(t, c.want, trusted.IsEncrypted(r), c.what)
		require.False(t, clientip.Proxies(nil).IsEncrypted(r), c.what)
	}
	require.True(t, clientip.Proxies(nil).IsEncrypted(&http.Request{TLS: new(tls.ConnectionState)}))
}

func TestOfReadsNoHeaderWithoutTrustedProxies(t *testing.T) {
	r := request("10.0.0.1:5", []string{"192.0.2.1"}, []string{"for=192.0.2.1"})
	require.Equal(t, "10.0.0.1", clientip.Proxies(nil).Of(r).String())
	require.False(t, clientip.Proxies(nil).Of(request("@", nil, nil)).IsValid(), "a Unix socket has no address")
}

func TestNetworkIsWhatOneSubscriberHas(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.1":            "192.0.2.1/32",
		"2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64",
	} {
		require.Equal(t, want, clientip.Network(netip.MustParseAddr(address)).String())
	}
	require.False(t, clientip.Network(netip.Addr{}).IsValid())
}

// For any headers, a peer that is not a trusted proxy names only itself.
func FuzzOf(f *testing.F) {
	f.Add("10.0.0.1:5", "198.51.100.7, 192.0.2.1", `for="[2001:db8::1]:443"`)
	f.Add("10.0.0.1:5", "192.0.2.1:_x", `for="192.0.2.1:_x"`)
	f.Add("10.0.0.1:5", "[2001:db8::1]:_", `for="[2001:db8::1]:_a.b-c_d";by="_x:_y"`)
	f.Add("10.0.0.1:5", ",,,", "for=;for=,=")
	f.Add("192.0.2.1:5", "10.0.0.1", "for=10.0.0.1")
	f.Fuzz(func(t *testing.T, remote, legacy, standard string) {
		r := request(remote, []string{legacy}, []string{standard})
		got := trusted.Of(r)
		if bare := clientip.Proxies(nil).Of(r); !bare.IsValid() || !trusted[0].Contains(bare) && !trusted[1].Contains(bare) {
			require.Equal(t, bare, got, "a peer that is not a proxy names only itself")
		}
		network := clientip.Network(got)
		require.Equal(t, got.IsValid(), network.IsValid())
		r.Header = http.Header{"X-Real-Ip": {legacy}, "X-Forwarded-Proto": {legacy}}
		if fromRealIP := trusted.Of(r); fromRealIP.IsValid() {
			require.True(t, trusted.Trust(clientip.Peer(r)) || fromRealIP == clientip.Peer(r))
		}
		require.False(t, trusted.IsEncrypted(r) && !trusted.Trust(clientip.Peer(r)))
	})
}
