package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"
	"unicode"

	"signaling-server/access"
	"signaling-server/httpapi/clientip"
	"signaling-server/httpapi/operators"
	"signaling-server/httpapi/origins"
	"signaling-server/iceservers"
	"signaling-server/server"
)

// newOptions returns the server's options, as the settings say. The error is a sentence
// for the operator, and contains no secret. The caller closes Access unless it is nil.
func newOptions(c config, logger *slog.Logger) (o server.Options, err error) {
	o = server.Options{
		HeartbeatInterval: c.HeartbeatInterval,
		ResumeWindow:      c.ResumeWindow,
		AwayAfter:         c.AwayAfter,
		Limits:            server.Limits(c.Limits),
		EnforceExpiry:     c.AccessEnforceExpiry,
		AdminToken:        c.AdminToken,
		StrictTransport:   c.strictTransport(),
		Environment:       c.Environment,
		MaxHeader:         c.MaxHeader,
		Logger:            logger,
	}
	if o.CORSOrigins, err = origins.Parse(c.CORSOrigins); err != nil {
		return o, fmt.Errorf("CORS_ORIGIN cannot be used: %w", err)
	}
	if o.ICEServers, err = c.iceServers(); err != nil {
		return o, err
	}
	if o.TrustedProxies, err = c.trustedProxies(); err != nil {
		return o, err
	}
	if o.Operators, err = c.operators(); err != nil {
		return o, err
	}
	c.warnOfEdges(logger)
	o.Access, err = c.accessVerifier(logger)
	return o, err
}

// warnOfEdges logs which secrets and names begin or end with white space or quotation
// marks. They count, but often nobody wrote them: a secret that was read from a file has
// the file's last line end, and docker --env-file keeps quotation marks.
func (c config) warnOfEdges(logger *slog.Logger) {
	isEdge := func(r rune) bool { return unicode.IsSpace(r) || r == '"' || r == '\'' }
	for _, setting := range []struct {
		name   string
		values []string
	}{
		{"ACCESS_SECRET", []string{c.AccessSecret}}, {"ACCESS_AUDIENCE", c.AccessAudiences}, {"ACCESS_ISSUER", c.AccessIssuers},
		{"ADMIN_TOKEN", []string{c.AdminToken}}, {"TURN_SECRET", []string{c.TURNSecret}},
	} {
		if slices.ContainsFunc(setting.values, func(value string) bool { return strings.TrimFunc(value, isEdge) != value }) {
			logger.Warn("a setting begins or ends with white space or a quotation mark, which is part of it", "setting", setting.name)
		}
	}
}

// strictTransport returns HSTS_MAX_AGE for [server.Options].
func (c config) strictTransport() time.Duration {
	switch {
	case c.HSTSMaxAge == nil:
		return 0
	case *c.HSTSMaxAge == 0:
		return -1
	}
	return *c.HSTSMaxAge
}

// accessVerifier returns the verifier of access tokens, or nil if the settings have no
// key for them.
func (c config) accessVerifier(logger *slog.Logger) (*access.Verifier, error) {
	keys, areAny, err := c.accessKeys()
	if err != nil || !areAny {
		return nil, err
	}
	if strings.HasPrefix(strings.ToLower(c.AccessJWKSURL), "https:") {
		if err := checkAuthorities("ACCESS_JWKS_URL"); err != nil {
			return nil, err
		}
	}
	verifier, err := access.NewVerifier(context.Background(), access.Options{Keys: keys, Audiences: c.AccessAudiences, Issuers: c.AccessIssuers, Logger: logger})
	if err != nil {
		return nil, fmt.Errorf("the keys for access tokens cannot be used: %w", err)
	}
	return verifier, nil
}

// accessKeys returns the keys for access tokens, and whether there are any.
func (c config) accessKeys() (keys access.Keys, areAny bool, err error) {
	keys = access.Keys{Secret: []byte(c.AccessSecret), JWKSURL: c.AccessJWKSURL}
	if c.AccessPublicKey != "" {
		text, err := readPEM(c.AccessPublicKey)
		if err == nil {
			keys.PublicKey, err = access.ParsePublicKey(text)
		}
		if err != nil {
			return keys, false, fmt.Errorf("ACCESS_PUBLIC_KEY cannot be used: %w", withUser(err))
		}
	}
	return keys, c.AccessSecret != "" || c.AccessPublicKey != "" || c.AccessJWKSURL != "", nil
}

// operators returns the operators that OPERATOR_TOKENS names.
func (c config) operators() ([]operators.Operator, error) {
	text := c.OperatorTokens
	if text != "" && !strings.Contains(text, " ") { // a line has spaces, and this is a path
		content, err := os.ReadFile(text)
		switch {
		case errors.Is(err, fs.ErrPermission):
			return nil, fmt.Errorf("OPERATOR_TOKENS cannot be used: %w", withUser(err))
		case err != nil: // the text may be a token, so it is not repeated
			return nil, errors.New("OPERATOR_TOKENS is neither what “signaling-server operator-token” prints nor the path of a file with it")
		}
		text = string(content)
	}
	all, err := operators.Parse(text)
	switch {
	case err != nil:
		return nil, fmt.Errorf("OPERATOR_TOKENS cannot be used: %w", err)
	case len(all) == 0 && c.OperatorTokens != "": // in development, everybody would be one
		return nil, errors.New("OPERATOR_TOKENS names no operator: remove the variable, or add a line")
	}
	return all, nil
}

// readPEM returns a text in PEM, or the content of the file that the text names. A file
// of environment variables cannot contain line breaks in a value, so people write \n
// instead.
func readPEM(text string) ([]byte, error) {
	if strings.Contains(text, "-----BEGIN") {
		return []byte(strings.ReplaceAll(text, `\n`, "\n")), nil
	}
	content, err := os.ReadFile(text)
	if err != nil && !errors.Is(err, fs.ErrPermission) {
		return nil, errors.New("it is neither a public key in PEM nor the path of a file with one")
	}
	return content, err
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
		if text == "unix" {
			proxies = append(proxies, clientip.UnixSocket)
			continue
		}
		if address, err := netip.ParseAddr(text); err == nil {
			address = address.Unmap()
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
