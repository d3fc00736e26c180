// Package clientip finds the address that a request comes from, even if it came through
// proxies. Anyone can send a header with an address. So this package believes only what
// a trusted proxy has added, and nothing to the left of that.
package clientip

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Proxies are the networks of the trusted proxies. If there are none, no header is read.
// Several goroutines may call the methods at once.
type Proxies []netip.Prefix

// Of returns the client's address: the peer's own or, if the peer is a trusted proxy,
// the right-most untrusted address in X-Forwarded-For or Forwarded (RFC 7239). Of reads
// the entries from the right. If it comes to an entry that is hidden or not an address,
// it returns the address of the proxy that added this entry. If both headers are present
// and disagree, it returns the peer's: we cannot know which one the proxy wrote. It
// returns the zero address if the connection has none, as on a Unix socket.
func (p Proxies) Of(r *http.Request) netip.Addr {
	peer := parse(r.RemoteAddr)
	if !p.Trust(peer) {
		return peer
	}
	legacy, standard := r.Header.Values("X-Forwarded-For"), r.Header.Values("Forwarded")
	byLegacy := p.follow(peer, split(legacy))
	byStandard := p.follow(peer, forwardedFor(standard))
	switch {
	case len(standard) == 0 || byLegacy == byStandard:
		return byLegacy
	case len(legacy) == 0:
		return byStandard
	}
	return peer
}

// follow goes back from an address, hop by hop, as long as each hop is a trusted proxy
// that names the hop before it. It returns the last address that it reaches.
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

// Network returns the network that counts as one client: an IPv4 address, or the /64 of
// an IPv6 address. Every IPv6 subscriber gets at least a /64 (RFC 6177), and could
// otherwise appear as any number of clients.
func Network(a netip.Addr) netip.Prefix {
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	network, _ := a.Prefix(bits) // the zero network for the zero address
	return network
}

// parse reads an address from a header or a connection. It may have a port, brackets or
// quotes, and may be an IPv4 address written as IPv6.
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

// forwardedFor returns the parameter “for” of each element of Forwarded, or "" for an
// element without it. It splits at every comma, also inside quotes. That is safe, because
// an address in quotes never contains a comma: what it splits there is not an address.
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

// maxHops is how many proxies are followed at most, because a header may be long.
const maxHops = 32

// split returns the last entries of a list header.
func split(values []string) []string {
	var all []string
	for _, value := range values {
		all = append(all, strings.Split(value, ",")...)
	}
	return all[max(0, len(all)-maxHops):]
}
