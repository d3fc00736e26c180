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

// UnixSocket stands in [Proxies] for all peers that have no address because they are
// connected by a Unix socket.
var UnixSocket netip.Prefix

// Headers are the keys of the headers by which proxies name the client, in the form of
// http.CanonicalHeaderKey. The last is read only in a request that has none of the others.
var Headers = [...]string{"X-Forwarded-For", "Forwarded", "X-Real-Ip"}

// Doubt is a sentence for the operator: what is wrong with the header of a trusted proxy,
// and what to do. It is empty if nothing is wrong.
type Doubt string

// The doubts.
const (
	Contradiction Doubt = "X-Forwarded-For and Forwarded name different clients, so these clients count as the proxy: let the proxy set one of the headers, and remove the other"
	NoAddress     Doubt = "the header that names the client holds no address, so these clients count as the proxy: let the proxy write the client's address into it"
	OtherProxy    Doubt = "the client that the header names has a private address and names others: if it is another proxy of yours, add it to TRUSTED_PROXIES"
)

// Of returns the client's address: the peer's own or, if the peer is a trusted proxy,
// the right-most untrusted address in X-Forwarded-For or Forwarded (RFC 7239). Of reads
// the entries from the right. If it comes to an entry that is hidden or not an address,
// it returns the address of the proxy that added this entry. If both headers are present
// and disagree, it returns the peer's: we cannot know which one the proxy wrote. Without
// both, Of reads X-Real-IP. It returns the zero address if the connection has none, as on
// a Unix socket.
func (p Proxies) Of(r *http.Request) netip.Addr {
	address, _ := p.Examine(r)
	return address
}

// Examine returns the same address as [Proxies.Of], and what is doubtful about it.
func (p Proxies) Examine(r *http.Request) (netip.Addr, Doubt) {
	peer := Peer(r)
	if !p.Trust(peer) {
		return peer, ""
	}
	legacy, standard := r.Header.Values("X-Forwarded-For"), r.Header.Values("Forwarded")
	if len(legacy)+len(standard) == 0 {
		return p.follow(peer, r.Header["X-Real-Ip"])
	}
	byLegacy, doubt := p.follow(peer, split(legacy))
	byStandard, doubtOfStandard := p.follow(peer, parameters(standard, "for"))
	switch {
	case len(legacy) == 0:
		return byStandard, doubtOfStandard
	case len(standard) == 0, byLegacy == byStandard:
		return byLegacy, doubt
	}
	return peer, Contradiction
}

// Peer returns the address of the other end of the connection, without a look at any
// header. It is the zero address on a Unix socket.
func Peer(r *http.Request) netip.Addr { return parse(r.RemoteAddr) }

// Name returns the name of a peer. A Unix socket has no address, so its name is as in the
// setting TRUSTED_PROXIES.
func Name(peer netip.Addr) string {
	if !peer.IsValid() {
		return "unix"
	}
	return peer.String()
}

// IsEncrypted reports whether the request of a client was encrypted: on its connection
// or, if the peer is a trusted proxy, on the client's connection to the proxy. A proxy
// says so in the last value of X-Forwarded-Proto, or of the parameter “proto” of Forwarded
// (RFC 7239, 5.4). If both are present, both must say so.
func (p Proxies) IsEncrypted(r *http.Request) bool {
	if r.TLS != nil {
		return true
	}
	legacy, standard := r.Header.Values("X-Forwarded-Proto"), r.Header.Values("Forwarded")
	if len(legacy)+len(standard) == 0 || !p.Trust(Peer(r)) {
		return false
	}
	isHTTPS := false
	for _, scheme := range slices.Concat(last(split(legacy)), last(parameters(standard, "proto"))) {
		if scheme = strings.Trim(scheme, `" `); scheme == "" {
			continue
		}
		if isHTTPS = strings.EqualFold(scheme, "https"); !isHTTPS {
			return false
		}
	}
	return isHTTPS
}

// follow goes back from an address, hop by hop, as long as each hop is a trusted proxy
// that names the hop before it. It returns the last address that it reaches, and what is
// doubtful about that address.
func (p Proxies) follow(at netip.Addr, hops []string) (netip.Addr, Doubt) {
	for i, hop := range slices.Backward(hops) {
		before := parse(hop)
		if !before.IsValid() {
			return at, NoAddress
		}
		if at = before; !p.Trust(at) {
			if i > 0 && (at.IsPrivate() || at.IsLoopback()) {
				return at, OtherProxy
			}
			return at, ""
		}
	}
	return at, ""
}

// Trust reports whether an address is that of a trusted proxy. The zero address is that of
// a peer on a Unix socket.
func (p Proxies) Trust(a netip.Addr) bool {
	return slices.ContainsFunc(p, func(network netip.Prefix) bool {
		return network.Contains(a) || network == UnixSocket && !a.IsValid()
	})
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
	if withPort, err := netip.ParseAddrPort(withPlainPort(text)); err == nil {
		return withPort.Addr().Unmap().WithZone("")
	}
	address, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"))
	if err != nil {
		return netip.Addr{}
	}
	return address.Unmap().WithZone("")
}

// withPlainPort replaces a port that a proxy hides by 0. Such a port is a word after an
// underscore (RFC 7239, 6.3).
func withPlainPort(text string) string {
	host, word, isHidden := strings.Cut(text, ":_")
	if !isHidden || word == "" || strings.Trim(word, wordCharacters) != "" {
		return text
	}
	return host + ":0"
}

const wordCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

// parameters returns a parameter of each element of Forwarded, or "" for an element
// without it. It splits at every comma, also inside quotes. That is safe, because neither
// an address nor a scheme contains a comma: what it splits there is neither.
func parameters(values []string, name string) []string {
	elements := split(values)
	for i, element := range elements {
		elements[i] = ""
		for pair := range strings.SplitSeq(element, ";") {
			if key, value, ok := strings.Cut(pair, "="); ok && strings.EqualFold(strings.TrimSpace(key), name) {
				elements[i] = value
			}
		}
	}
	return elements
}

// last returns the last entry, if there is one.
func last(entries []string) []string { return entries[max(0, len(entries)-1):] }

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
