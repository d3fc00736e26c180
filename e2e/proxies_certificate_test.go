package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// keyPair is a certificate and its key in PEM, and what verifies the certificate.
type keyPair struct {
	chain, key []byte
	roots      *x509.CertPool
}

// certificate is for the host names of the documents.
var certificate = sync.OnceValue(func() (p keyPair) {
	must := func(err error) {
		if err != nil {
			panic(err) // only if the system gives no random numbers
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		DNSNames:     []string{"signaling.example.com", "turn.example.com"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
	}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	must(err)
	p = keyPair{
		chain: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed}),
		key:   pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
		roots: x509.NewCertPool(),
	}
	p.roots.AppendCertsFromPEM(p.chain)
	return p
})

// writeCertificate writes the certificate and its key into a folder, as the documents
// name the files.
func writeCertificate(t *testing.T, folder string) {
	t.Helper()
	p := certificate()
	for name, text := range map[string][]byte{"fullchain.pem": p.chain, "privkey.pem": p.key, "signaling.pem": slices.Concat(p.chain, p.key)} {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), text, 0o644))
	}
}
