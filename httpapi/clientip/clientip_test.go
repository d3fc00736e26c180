package clientip_test

import (
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
	})
}
