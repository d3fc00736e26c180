package main

import (
	"cmp"
	"log/slog"
	"net"
	"strconv"

	signalingserver "signaling-server"
	"signaling-server/httpapi"
)

// announce logs the addresses of the server and its pages.
func announce(c config, logger *slog.Logger) {
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
	base := scheme + net.JoinHostPort(cmp.Or(host, "localhost"), strconv.Itoa(c.Port))
	logger.Info("signaling server is ready", "address", base, "version", signalingserver.Version, "environment", c.Environment)
	if c.Environment == httpapi.Production && c.AdminToken == "" {
		logger.Warn("monitoring is disabled: set ADMIN_TOKEN to enable it")
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
