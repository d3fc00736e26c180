// Package clientip tells from which address a request comes, also where proxies
// stand before the server. A header that names an address is only as good as
// who wrote it: anyone can send one. So what is believed is what a trusted proxy
// has added, and nothing that stands to the left of it.
package clientip

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Proxies are the networks whose proxies are trusted to say where a request came
// from. None: nobody is, and no header is read. Any goroutine may call its
// methods at once.
type Proxies []netip.Prefix

// Of tells from which address a request comes: the one that is connected, or, if
// that is a trusted proxy, the one nearest to the server in X-Forwarded-For or
// Forwarded (RFC 7239) that is none. Where the chain breaks off, by an address
// that is hidden or none at all, it is the last proxy's own. Where both headers
// stand there and differ, it is the connected proxy's: which of them it wrote
// there is no telling. The address is the zero one where the connection has none.
func (p Proxies) Of(r *http.Request) netip.Addr {
	connected := parse(r.RemoteAddr)
	if !p.Trust(connected) {
		return connected
	}
	legacy, standard := r.Header.Values("X-Forwarded-For"), r.Header.Values("Forwarded")
	byLegacy := p.follow(connected, split(legacy))
	byStandard := p.follow(connected, forwardedFor(standard))
	switch {
	case len(standard) == 0 || byLegacy == byStandard:
		return byLegacy
	case len(legacy) == 0:
		return byStandard
	}
	return connected
}

// follow goes back from proxy to proxy, as long as each is trusted and names the
// one before it.
func (p Proxies) follow(at netip.Addr, hops []string) netip.Addr {
	for _, hop := range slices.Backward(hops) {
		before := parse(hop)
		if !before.IsValid() {
			return at
		}
		if at = before; !p.Trust(at) {
			return at
		}
	}
	return at
}

// Trust reports whether an address is that of a trusted proxy.
func (p Proxies) Trust(a netip.Addr) bool {
	return slices.ContainsFunc(p, func(network netip.Prefix) bool { return network.Contains(a) })
}

// Network is what one client is taken to have: an IPv4 address, or of IPv6 the
// /64 that any subscriber is given at least (RFC 6177), who could otherwise be as
// many as he likes.
func Network(a netip.Addr) netip.Prefix {
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	network, _ := a.Prefix(bits) // the zero one for the zero address
	return network
}

// parse reads an address as it stands in headers and connections: perhaps with a
// port, in brackets, or IPv4 in the clothes of IPv6.
func parse(text string) netip.Addr {
	text = strings.Trim(strings.TrimSpace(text), `"`)
	if withPort, err := netip.ParseAddrPort(text); err == nil {
		return withPort.Addr().Unmap().WithZone("")
	}
	address, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"))
	if err != nil {
		return netip.Addr{}
	}
	return address.Unmap().WithZone("")
}

// forwardedFor reads the parameter for of each element of Forwarded, "" where one
// has none. What stands in quotes holds no comma in any address, so that a header
// in which one does names nothing that is believed.
func forwardedFor(values []string) []string {
	hops := split(values)
	for i, element := range hops {
		hops[i] = ""
		for pair := range strings.SplitSeq(element, ";") {
			if name, value, ok := strings.Cut(pair, "="); ok && strings.EqualFold(strings.TrimSpace(name), "for") {
				hops[i] = value
			}
		}
	}
	return hops
}

// maxHops is how many proxies are followed: a header may be long.
const maxHops = 32

// split splits the values of a list header, of which it keeps the last.
func split(values []string) []string {
	var all []string
	for _, value := range values {
		all = append(all, strings.Split(value, ",")...)
	}
	return all[max(0, len(all)-maxHops):]
}
