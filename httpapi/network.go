package httpapi

import (
	"net/http"
	"net/netip"

	"signaling-server/httpapi/clientip"
	"signaling-server/httpapi/conns"
	"signaling-server/httpapi/excerpt"
	"signaling-server/sse"
)

// networkOf is the network that a request counts against: the client's address, or
// the block of addresses that one client can have for itself.
func (a *API) networkOf(r *http.Request) netip.Prefix {
	if len(a.proxies) == 0 {
		if network, ok := conns.NetworkOf(r.Context()); ok {
			return network // parsed once, for the whole connection
		}
	}
	return clientip.Network(a.proxies.Of(r))
}

// isEncrypted reports whether the client's request was encrypted, at least as far as the
// first proxy.
func (a *API) isEncrypted(r *http.Request) bool {
	return a.proxies.IsEncrypted(r) || conns.WasEncrypted(r.Context())
}

// clientOf is what operators see of a client.
func (a *API) clientOf(r *http.Request) sse.Client {
	address := a.proxies.Of(r)
	c := sse.Client{UserAgent: excerpt.UserAgent(r.UserAgent()), Network: clientip.Network(address)}
	if address.IsValid() {
		c.IP = address.String()
	}
	return c
}
