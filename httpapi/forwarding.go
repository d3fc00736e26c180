package httpapi

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"signaling-server/httpapi/clientip"
)

// forwarding observes how proxies name their clients, and finds faults for the operator.
// The server believes a trusted proxy in spite of a fault. Some requests only look like
// one: for example those of an operator on the proxy's machine, which no proxy touched.
type forwarding struct {
	mu          sync.Mutex // guards what follows; held for look-ups only
	isUntrusted bool       // a proxy that is not trusted was reported
	proxies     map[netip.Addr]*habits
}

const (
	// maxProxies is how many trusted proxies are observed.
	maxProxies = 256
	// manyUnnamed is how many requests that name no client make a fault.
	manyUnnamed = 100
)

// habits are what the requests of one trusted proxy had until now.
type habits struct {
	sent, missed [len(clientip.Headers)]bool // some request had the header, or had not
	unnamed      int                         // requests without any of the headers
	found        []string                    // the faults
}

func newForwarding() *forwarding { return &forwarding{proxies: make(map[netip.Addr]*habits)} }

// noticeProxy warns the operator, once for each fault, of a proxy that does not name its
// clients as it should, or that is not trusted.
func (a *API) noticeProxy(r *http.Request) {
	if len(a.proxies) == 0 && !namesClient(r) {
		return
	}
	peer := clientip.Peer(r)
	var faults []string
	switch isTrusted := a.proxies.Trust(peer); {
	case !isTrusted && namesClient(r) && (len(a.proxies) == 0 || isNear(peer)):
		faults = a.forwarding.untrusted()
	case isTrusted && strings.HasPrefix(r.URL.Path, "/events"): // probes and operators may come by another way
		_, doubt := a.proxies.Examine(r)
		faults = a.forwarding.observe(peer, r.Header, doubt)
	}
	for _, fault := range faults {
		a.logger.Warn(fault, "proxy", clientip.Name(peer))
	}
}

// namesClient reports whether a request has a header by which proxies name the client.
func namesClient(r *http.Request) bool {
	return slices.ContainsFunc(clientip.Headers[:], func(name string) bool { return len(r.Header[name]) > 0 })
}

// isNear reports whether an address belongs to a machine in the same network, which may be
// a proxy.
func isNear(peer netip.Addr) bool {
	return !peer.IsValid() || peer.IsLoopback() || peer.IsPrivate() || peer.IsLinkLocalUnicast()
}

// untrusted returns the fault of a proxy that is not trusted, for the first one only: any
// client may write the header of a proxy.
func (f *forwarding) untrusted() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.isUntrusted {
		return nil
	}
	f.isUntrusted = true
	return []string{"requests come through a proxy that is not trusted, so all its clients count as one address: if the proxy is yours, add it to TRUSTED_PROXIES"}
}

// observe notes what a request of a trusted proxy has, and returns the faults that were
// not seen before.
func (f *forwarding) observe(proxy netip.Addr, header http.Header, doubt clientip.Doubt) (faults []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	h := f.proxies[proxy]
	if h == nil {
		if len(f.proxies) == maxProxies {
			return nil
		}
		h = new(habits)
		f.proxies[proxy] = h
	}
	isNamed := false
	for i, name := range clientip.Headers {
		if name == "X-Real-Ip" && isNamed {
			break // it is not read
		}
		isSent := len(header[name]) > 0
		h.sent[i] = h.sent[i] || isSent
		h.missed[i] = h.missed[i] || !isSent
		isNamed = isNamed || isSent
		if h.sent[i] && h.missed[i] && h.isNew(name) {
			faults = append(faults, name+" comes with some requests of a trusted proxy only, so clients write it and may choose their address: let the proxy set it, or remove it")
		}
	}
	if !isNamed {
		h.unnamed++
	}
	if h.unnamed >= manyUnnamed && h.sent == [len(clientip.Headers)]bool{} && h.isNew("") {
		faults = append(faults, "a trusted proxy does not name its clients, so all of them count as one address: let the proxy set X-Forwarded-For")
	}
	if doubt != "" && h.isNew(string(doubt)) {
		faults = append(faults, string(doubt))
	}
	return faults
}

// isNew notes that a fault was found, and reports whether it is found for the first time.
func (h *habits) isNew(fault string) bool {
	if slices.Contains(h.found, fault) {
		return false
	}
	h.found = append(h.found, fault)
	return true
}
