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

// soon is how long before its end a certificate should be renewed.
const soon = 14 * 24 * time.Hour

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
	certificate := e.judgeCertificate(state)
	e.verified = certificate.Level != Bad
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

// judgeCertificate says the first thing that is wrong with a certificate.
func (e *examiner) judgeCertificate(state *tls.ConnectionState) Finding {
	bad := func(title, text, advice string, lines ...Line) Finding {
		return Finding{"certificate", Bad, title, text + " The other checks go on without a proof of who answers.", advice, lines}
	}
	host, now := e.Server.Hostname(), time.Now()
	own := state.PeerCertificates[0]
	others := x509.NewCertPool()
	for _, each := range state.PeerCertificates[1:] {
		others.AddCert(each)
	}
	date := func(t time.Time) string { return t.UTC().Format(time.DateOnly) }
	if now.After(own.NotAfter) {
		return bad("The certificate has expired", fmt.Sprintf("It ended on %s.", date(own.NotAfter)), renew)
	}
	if now.Before(own.NotBefore) {
		return bad("The certificate is not valid yet", fmt.Sprintf("It begins on %s.", date(own.NotBefore)), checkOwnClock)
	}
	if own.VerifyHostname(host) != nil {
		return bad("The certificate is for another name", fmt.Sprintf("It names %s.", namesOf(own)), say(nameHost, "host", host))
	}
	_, err := own.Verify(x509.VerifyOptions{Roots: e.Roots, Intermediates: others, CurrentTime: now})
	var unknown x509.UnknownAuthorityError
	switch {
	case errors.As(err, &unknown) && len(state.PeerCertificates) == 1 && own.Issuer.String() != own.Subject.String():
		return bad("The chain of certificates is incomplete, or its authority is unknown", fmt.Sprintf("The server sends only its own certificate, which %s signed.", own.Issuer.CommonName), serveChain+" "+trustedOnly, lines[faultChain]...)
	case errors.As(err, &unknown):
		return bad("The authority of the certificate is unknown", "This device does not trust the authority that signed it.", trustedOnly)
	case err != nil:
		return bad("The certificate cannot be used", fmt.Sprintf("This device refuses it: %s.", reason(err)), trustedOnly)
	case own.NotAfter.Sub(now) < soon:
		return Finding{"certificate", Warn, "The certificate ends soon", fmt.Sprintf("It ends on %s.", date(own.NotAfter)), renew, nil}
	}
	return Finding{"certificate", Good, "The certificate is right", fmt.Sprintf("It names %s, and ends on %s.", host, date(own.NotAfter)), nothing, nil}
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
