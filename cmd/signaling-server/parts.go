package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"strings"

	"signaling-server/access"
	"signaling-server/httpapi/clientip"
	"signaling-server/iceservers"
	"signaling-server/limits"
	"signaling-server/sse"
)

// parts are what the server is made of that may not be had as it is configured.
type parts struct {
	access     *access.Verifier // nil: nobody is asked for an access token
	iceServers iceservers.Provider
	proxies    clientip.Proxies
	tls        *tls.Config // nil: there is none
}

// newParts makes them. The error is a sentence for the operator, and repeats no
// secret.
func newParts(c config, logger *slog.Logger) (p parts, err error) {
	if p.iceServers, err = c.iceServers(); err != nil {
		return p, err
	}
	if p.proxies, err = c.trustedProxies(); err != nil {
		return p, err
	}
	if p.tls, err = newTLS(c, logger); err != nil {
		return p, err
	}
	keys, areAny, err := c.accessKeys()
	if err != nil || !areAny {
		return p, err
	}
	if p.access, err = access.NewVerifier(context.Background(), keys, logger); err != nil {
		return p, fmt.Errorf("the keys of access tokens cannot be used: %w", err)
	}
	return p, nil
}

// close ends what runs on.
func (p parts) close() {
	if p.access != nil {
		p.access.Close()
	}
}

// accessKeys are the keys that access tokens are checked by, if there are any.
func (c config) accessKeys() (keys access.Keys, any bool, err error) {
	keys = access.Keys{Secret: []byte(c.AccessSecret), JWKSURL: c.AccessJWKSURL}
	if c.AccessPublicKey != "" {
		if keys.PublicKey, err = access.ParsePublicKey(readPEM(c.AccessPublicKey)); err != nil {
			return keys, false, fmt.Errorf("ACCESS_PUBLIC_KEY cannot be used: %w", err)
		}
	}
	return keys, c.AccessSecret != "" || c.AccessPublicKey != "" || c.AccessJWKSURL != "", nil
}

// readPEM is what a variable says, or the file that it names. Files of variables
// hold no line ends, so that people write \n.
func readPEM(text string) []byte {
	if !strings.HasPrefix(text, "-----BEGIN") {
		if content, err := os.ReadFile(text); err == nil {
			return content
		}
	}
	return []byte(strings.ReplaceAll(text, `\n`, "\n"))
}

func (c config) iceServers() (p iceservers.Provider, err error) {
	p = iceservers.Provider{Secret: c.TURNSecret, TTL: c.TURNTTL}
	if c.ICEServers != "" {
		if p.Static, err = iceservers.Parse(c.ICEServers); err != nil {
			return p, fmt.Errorf("ICE_SERVERS cannot be used: %w", err)
		}
	}
	if p.TURN, err = iceservers.ParseURLs(c.TURNURLs); err != nil {
		return p, fmt.Errorf("TURN_URLS cannot be used: %w", err)
	}
	return p, nil
}

func (c config) trustedProxies() (proxies clientip.Proxies, err error) {
	for _, text := range c.TrustedProxies {
		if address, err := netip.ParseAddr(text); err == nil {
			proxies = append(proxies, netip.PrefixFrom(address, address.BitLen()))
			continue
		}
		network, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("TRUSTED_PROXIES cannot be used: %w", err)
		}
		proxies = append(proxies, network)
	}
	return proxies, nil
}

func (c config) limits() *limits.Limits {
	return limits.New(limits.Options{
		PerAddress: limits.Rates{Opens: c.OpensPerAddress, Posts: c.PostsPerAddress, Events: c.EventsPerAddress, Tellings: c.ToldPerAddress},
		PerSocket:  limits.Rates{Opens: c.OpensPerSocket, Posts: c.PostsPerSocket, Events: c.EventsPerSocket, Tellings: c.ToldPerSocket},

		MonitoringPerAddress: c.MonitoringRate,
		RequestsPerAddress:   c.RequestsPerAddress,
		ReadingPerAddress:    2 * c.MaxPerAddress, // one that takes over stands beside the one before for a moment
		BytesPerAddress:      c.RequestBytes,
	})
}

// outbox bounds what a socket's client may leave unread. What it may still ask for
// again is little: it has been written.
func (c config) outbox() sse.OutboxLimits {
	return sse.OutboxLimits{
		UnsentEvents: c.OutboxEvents, UnsentBytes: c.OutboxBytes,
		RetainedEvents: c.OutboxEvents, RetainedBytes: c.OutboxBytes / 4,
	}
}
