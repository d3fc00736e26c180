package access

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"

	"github.com/golang-jwt/jwt/v5"
)

// Keys are the keys that access tokens are checked with. Exactly one field is set.
type Keys struct {
	// Secret is shared with the back end that issues tokens (HS256). It has at least 32
	// random bytes (RFC 7518, 3.2).
	Secret []byte
	// PublicKey is an *rsa.PublicKey (RS256), an *ecdsa.PublicKey on P-256 (ES256) or an
	// ed25519.PublicKey (EdDSA). ParsePublicKey returns one.
	PublicKey crypto.PublicKey
	// JWKSURL is the http or https URL of a JWK Set (RFC 7517) with public keys of these
	// types. The server there is trusted like the keys themselves.
	JWKSURL string
}

var (
	errNotOneKind = errors.New("exactly one of a secret, a public key and a JWKS URL must be set")
	errPEMSecret  = errors.New("ACCESS_SECRET contains a PEM key. A public key is not secret: set ACCESS_PUBLIC_KEY instead")
	errKeyType    = errors.New("the public key must be RSA, ECDSA on P-256, or Ed25519")
	errJWKSURL    = errors.New("the JWKS URL must be an http or https URL with a host")
	errNoPEM      = errors.New("a public key is one block of PEM that begins with “-----BEGIN PUBLIC KEY-----”")
)

const (
	minSecretSize = 32 // bytes: the size of the hash (RFC 7518, 3.2)

	// The minimum for RSA keys is from RFC 7518, 3.3. The maximum is that of crypto/tls:
	// larger keys only cost time.
	minRSABits = 2048
	maxRSABits = 8192
)

// kinds returns how many fields are set.
func (k Keys) kinds() (n int) {
	for _, set := range []bool{len(k.Secret) > 0, k.PublicKey != nil, k.JWKSURL != ""} {
		if set {
			n++
		}
	}
	return n
}

// checkSecret returns an error if the secret is too short, or is not a secret.
func checkSecret(secret []byte) error {
	if len(secret) < minSecretSize {
		return fmt.Errorf("the secret has %d bytes, but needs at least %d", len(secret), minSecretSize)
	}
	if block, _ := pem.Decode(secret); block != nil {
		return errPEMSecret
	}
	return nil
}

// checkURL returns an error if the text is not an http or https URL. The error does not
// repeat the URL, which may contain a password.
func checkURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return errJWKSURL
	}
	return nil
}

// methodOf returns the algorithm that a public key is for: each type of key has exactly
// one algorithm. The error says why the key cannot check tokens.
func methodOf(key crypto.PublicKey) (jwt.SigningMethod, error) {
	switch key := key.(type) {
	case *rsa.PublicKey:
		if key == nil || key.N == nil {
			return nil, errKeyType
		}
		if bits := key.N.BitLen(); bits < minRSABits || bits > maxRSABits {
			return nil, fmt.Errorf("the RSA key has %d bits, but needs %d to %d", bits, minRSABits, maxRSABits)
		}
		return jwt.SigningMethodRS256, nil
	case *ecdsa.PublicKey:
		if key == nil || key.Curve != elliptic.P256() {
			return nil, errKeyType
		}
		return jwt.SigningMethodES256, nil
	case ed25519.PublicKey:
		if len(key) != ed25519.PublicKeySize {
			return nil, errKeyType
		}
		return jwt.SigningMethodEdDSA, nil
	}
	return nil, errKeyType
}

// ParsePublicKey reads a public key from PEM (RFC 7468, section 13): RSA with 2048 to
// 8192 bits, ECDSA on P-256, or Ed25519. The error says what is wrong with the text,
// and repeats nothing of it. Several goroutines may call it at once.
func ParsePublicKey(text []byte) (crypto.PublicKey, error) {
	block, rest := pem.Decode(text)
	if block == nil || block.Type != "PUBLIC KEY" || len(bytes.TrimSpace(rest)) > 0 {
		return nil, errNoPEM
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("the public key cannot be read: %w", err)
	}
	if _, err := methodOf(key); err != nil {
		return nil, err
	}
	return key, nil
}
