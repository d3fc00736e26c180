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

// noticeProxy warns the operator, once, of a proxy that is not trusted. All clients
// behind it count as one address, and soon reach the limits of one.
func (a *API) noticeProxy(r *http.Request) {
	if len(a.proxies) > 0 || r.Header.Get("X-Forwarded-For") == "" || !a.proxyNoticed.CompareAndSwap(false, true) {
		return
	}
	a.logger.Warn("requests come through a proxy that is not trusted, so all its clients count as one address: if the proxy is yours, set TRUSTED_PROXIES", "ip", a.clientOf(r).IP)
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
