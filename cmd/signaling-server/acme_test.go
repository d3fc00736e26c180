package main

import (
	"bytes"
	"crypto/tls"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/acme"
	"golang.org/x/time/rate"
)

// acmeServer answers each request of the ACME protocol with a problem.
func acmeServer(t *testing.T, status int, problem string) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, problem)
	}))
	t.Cleanup(s.Close)
	return s
}

// nobody listens at this address. The next test could get a port that a test has closed.
const nobody = "http://127.0.0.1:1"

// An operator sees why there is no certificate, and what to check. The handshake of each
// visitor fails, but the log says so once a minute.
func TestTheLogSaysWhyThereIsNoCertificateFromLetsEncrypt(t *testing.T) {
	for name, c := range map[string]struct{ directory, says, check string }{
		"no network": {nobody, "connection refused", "check that this machine may send requests to Let's Encrypt by https"},
		"a refusal": {acmeServer(t, http.StatusForbidden, `{"type":"urn:ietf:params:acme:error:rejectedIdentifier","detail":"the name is forbidden by policy"}`).URL,
			"the name is forbidden by policy", "Let's Encrypt refused it, so check ACME_DOMAINS and ACME_EMAIL"},
		"too often": {acmeServer(t, http.StatusForbidden, `{"type":"urn:ietf:params:acme:error:rateLimited","detail":"too many certificates already issued"}`).URL,
			"too many certificates already issued", "too many were requested, so wait as long as the error says, and keep ACME_CACHE"},
	} {
		t.Run(name, func(t *testing.T) {
			settings, err := loadConfig([]string{"ACME_DOMAINS=signaling.example.com,b.example.com", "ACME_CACHE=" + t.TempDir()})
			require.NoError(t, err)
			var log bytes.Buffer
			l := newLetsEncrypt(settings, slog.New(slog.NewTextHandler(&log, nil)))
			l.manager.Client = &acme.Client{DirectoryURL: c.directory}
			fail := func(hello *tls.ClientHelloInfo) {
				_, err := l.tlsConfig().GetCertificate(hello)
				require.Error(t, err)
			}
			for _, server := range []string{"signaling.example.com", "Signaling.Example.COM.", "signaling.example.com"} {
				fail(&tls.ClientHelloInfo{ServerName: server})
			}
			require.Contains(t, log.String(), "there is no certificate from Let's Encrypt for a name in ACME_DOMAINS: "+c.check)
			require.Contains(t, log.String(), "name=signaling.example.com")
			require.Contains(t, log.String(), c.says)

			l.reports["signaling.example.com"] = &rate.Sometimes{Every: 1}
			fail(&tls.ClientHelloInfo{ServerName: "signaling.example.com"})
			require.Equal(t, 1, strings.Count(log.String(), "level=ERROR"), "a handshake that did not ask the server does not know why: %s", &log)
			fail(&tls.ClientHelloInfo{ServerName: "b.example.com"})
			l.report("b.example.com", io.EOF)
			require.Equal(t, 1, strings.Count(log.String(), "name=b.example.com"), "once a minute: %s", &log)
			before := log.String()
			for _, theirs := range []*tls.ClientHelloInfo{
				{}, {ServerName: "evil.example.com"}, {ServerName: "localhost"},
				{ServerName: "signaling.example.com", SupportedProtos: []string{acme.ALPNProto}},
			} {
				fail(theirs)
			}
			require.Equal(t, before, log.String(), "what clients do wrong is not a fault of the server")
		})
	}
}

func TestTheLogSaysIfLetsEncryptCannotReachTheServer(t *testing.T) {
	require.Contains(t, whatToCheck(io.ErrUnexpectedEOF), "check that the DNS records of the name lead here, and that port 443 of the internet reaches PORT")
}

func TestTheFirstCertificateFromLetsEncryptToExpireCounts(t *testing.T) {
	settings, err := loadConfig([]string{"ACME_DOMAINS=a.example.com,b.example.com,c.example.com", "ACME_CACHE=" + t.TempDir()})
	require.NoError(t, err)
	synctest.Test(t, func(t *testing.T) {
		l := newLetsEncrypt(settings, slog.New(slog.DiscardHandler))
		require.Zero(t, l.expires(), "there is no certificate yet")
		files := newFiles(t)
		began := time.Now()
		for _, name := range []string{"a.example.com", "b.example.com"} {
			files.write(t, 1) // valid for an hour
			time.Sleep(time.Minute)
			kept, err := os.ReadFile(files.key)
			require.NoError(t, err)
			chain, err := os.ReadFile(files.certificate)
			require.NoError(t, err)
			require.NoError(t, l.cache.Put(t.Context(), name, append(kept, chain...)))
		}
		require.NoError(t, l.cache.Put(t.Context(), "c.example.com", []byte("half a certif")))
		require.Equal(t, began.Add(time.Hour).Unix(), l.expires().Unix())
	})
}
