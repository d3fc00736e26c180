package httpapi

import (
	"net/http"
	"net/netip"

	"signaling-server/httpapi/clientip"
	"signaling-server/httpapi/conns"
	"signaling-server/httpapi/excerpt"
	"signaling-server/sse"
)

// networkOf is what a request counts against: what its client's address is part
// of, as far as one client has it all.
func (a *API) networkOf(r *http.Request) netip.Prefix {
	if len(a.proxies) == 0 {
		if network, ok := conns.NetworkOf(r.Context()); ok {
			return network // it was read once, for the connection
		}
	}
	return clientip.Network(a.proxies.Of(r))
}

// noticeProxy tells the operator, once, of a proxy that is not trusted: all its
// clients count as one, and soon reach the limits of one address.
func (a *API) noticeProxy(r *http.Request) {
	if len(a.proxies) > 0 || r.Header.Get("X-Forwarded-For") == "" || !a.proxyNoticed.CompareAndSwap(false, true) {
		return
	}
	a.logger.Warn("requests come through a proxy that is not trusted, and count as one address: if it is yours, set TRUSTED_PROXIES", "ip", a.clientOf(r).IP)
}

// clientOf is what operators are told of a client.
func (a *API) clientOf(r *http.Request) sse.Client {
	address := a.proxies.Of(r)
	c := sse.Client{UserAgent: excerpt.UserAgent(r.UserAgent()), Network: clientip.Network(address)}
	if address.IsValid() {
		c.IP = address.String()
	}
	return c
}
