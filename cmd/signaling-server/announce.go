package main

import (
	"cmp"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"

	signalingserver "signaling-server"
	"signaling-server/httpapi"
)

// announce logs the addresses of the server and its pages. Behind a Unix socket only the
// proxy knows them.
func announce(c config, logger *slog.Logger) {
	base := c.base()
	what := "signaling server is ready"
	if len(c.Cluster.URLs) > 0 {
		what = "signaling server listens, and joins the other nodes" // it says later that it serves
	}
	logger.Info(what, "address", base, "version", signalingserver.Version, "environment", c.Environment)
	if c.Environment == httpapi.Production && c.AdminToken == "" && c.OperatorTokens == "" {
		logger.Warn("monitoring is disabled: set ADMIN_TOKEN to enable it")
	}
	if slices.ContainsFunc(c.TrustedProxies, func(network string) bool { return strings.HasSuffix(network, "/0") }) {
		logger.Warn("TRUSTED_PROXIES trusts all addresses, so every client may choose its address: name your proxies only")
	}
	if c.socketPath() != "" {
		if !slices.Contains(c.TrustedProxies, "unix") {
			logger.Warn("all clients of the Unix socket count as one address and share its limits: add unix to TRUSTED_PROXIES, and let the proxy set X-Forwarded-For")
		}
		return
	}
	logger.Info("landing page", "url", base+"/")
	logger.Info("demo", "url", base+"/demo/")
	logger.Info("reference", "url", base+"/docs/")
	logger.Info("doctor", "url", base+"/doctor/")
	logger.Info("dashboard", "url", base+"/dashboard/")
	logger.Info("health", "url", base+"/health")
	logger.Info("rooms", "url", base+"/rooms")
	logger.Info("stats", "url", base+"/stats")
}

// base returns the address by which people on this machine reach the server.
func (c config) base() string {
	if c.socketPath() != "" {
		return c.Host
	}
	host := c.Host
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = ""
	}
	scheme := "http://"
	if c.usesTLS() {
		scheme = "https://"
	}
	if len(c.ACMEDomains) > 0 {
		host = c.ACMEDomains[0]
	}
	return scheme + net.JoinHostPort(cmp.Or(host, "localhost"), strconv.Itoa(c.Port))
}
