package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// encrypt asks for TLS, whatever the certificate is, and then judges the certificate. So
// the fault has a name, and the other checks can run.
func (e *examiner) encrypt(ctx context.Context) outcome {
	if e.Server.Scheme == "http" {
		return found(e.unencrypted())
	}
	http := newClient(&tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10})
	defer http.CloseIdleConnections()
	state, err := e.handshake(ctx, http)
	if err != nil {
		return outcome{[]Finding{{"tls", Bad, "There is no encryption", fmt.Sprintf("The server at %s does not speak TLS with this program: %s.", e.address, reason(err)), endTLS, nil}}, true}
	}
	certificate := judgeCertificate(state.PeerCertificates, e.Server.Hostname(), e.Roots)
	if e.verified = certificate.Level != Bad; !e.verified {
		certificate.Text += " The other checks go on without a proof of who answers."
	}
	version := Finding{"tls", Good, tls.VersionName(state.Version) + " is spoken", fmt.Sprintf("The cipher is %s.", tls.CipherSuiteName(state.CipherSuite)), nothing, nil}
	if state.Version < tls.VersionTLS12 {
		version = Finding{"tls", Bad, "The encryption is too old", fmt.Sprintf("The server speaks %s at best.", tls.VersionName(state.Version)), newerTLS, nil}
	}
	return found(certificate, version)
}

func (e *examiner) unencrypted() Finding {
	if isLoopback(e.Server.Hostname()) {
		return Finding{"tls", Info, "The connection is not encrypted", "Browsers accept that on localhost.", nothing, nil}
	}
	return Finding{"tls", Warn, "No camera and microphone: the connection is not encrypted", "The URL begins with http.", serveHTTPS, nil}
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// handshake makes a request, so that a proxy of this device is used as in the other checks.
func (e *examiner) handshake(ctx context.Context, client *http.Client) (*tls.ConnectionState, error) {
	ctx, cancel := context.WithTimeout(ctx, e.Timeout)
	defer cancel()
	r, err := e.request(ctx, http.MethodGet, "/livez", "", nil)
	if err != nil {
		return nil, err
	}
	response, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	response.Body.Close()
	return response.TLS, nil
}

// judgeCertificate says the first thing that is wrong with a chain of certificates.
func judgeCertificate(chain []*x509.Certificate, host string, roots *x509.CertPool) Finding {
	finding := func(level Level, title, text, advice string, lines ...Line) Finding {
		return Finding{"certificate", level, title, text, say(advice, "host", host), lines}
	}
	own, now := chain[0], time.Now()
	others := x509.NewCertPool()
	for _, each := range chain[1:] {
		others.AddCert(each)
	}
	date := func(t time.Time) string { return t.UTC().Format(time.DateOnly) }
	if now.After(own.NotAfter) {
		return finding(Bad, "The certificate has expired", fmt.Sprintf("It ended on %s.", date(own.NotAfter)), renew)
	}
	if now.Before(own.NotBefore) {
		return finding(Bad, "The certificate is not valid yet", fmt.Sprintf("It begins on %s.", date(own.NotBefore)), checkOwnClock)
	}
	if own.VerifyHostname(host) != nil {
		return finding(Bad, "The certificate is for another name", fmt.Sprintf("It names %s.", namesOf(own)), nameHost)
	}
	_, err := own.Verify(x509.VerifyOptions{Roots: roots, Intermediates: others, CurrentTime: now})
	var unknown x509.UnknownAuthorityError
	switch isUnknown := errors.As(err, &unknown); {
	case isUnknown && len(chain) == 1 && own.Issuer.String() != own.Subject.String():
		return finding(Bad, "The chain of certificates is incomplete, or its authority is unknown", fmt.Sprintf("The server sends only its own certificate, which %s signed.", own.Issuer.CommonName), serveChain+" "+trustedOnly, lines[faultChain]...)
	case isUnknown:
		return finding(Bad, "The authority of the certificate is unknown", "This device does not trust the authority that signed it.", trustedOnly)
	case err != nil:
		return finding(Bad, "The certificate cannot be used", fmt.Sprintf("This device refuses it: %s.", reason(err)), trustedOnly)
	case own.NotAfter.Sub(now) < soon(own):
		return finding(Warn, "The certificate ends soon", fmt.Sprintf("It ends on %s.", date(own.NotAfter)), renew)
	}
	return finding(Good, "The certificate is right", fmt.Sprintf("It names %s, and ends on %s.", host, date(own.NotAfter)), nothing)
}

// soon returns how long before its end a certificate should have been renewed: two weeks, or
// a quarter of its time if it lives for days only.
func soon(certificate *x509.Certificate) time.Duration {
	return min(14*24*time.Hour, certificate.NotAfter.Sub(certificate.NotBefore)/4)
}

// namesOf returns the first names in a certificate.
func namesOf(certificate *x509.Certificate) string {
	names := certificate.DNSNames
	for _, ip := range certificate.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 {
		return "nobody"
	}
	return list(names[:min(len(names), 4)])
}
