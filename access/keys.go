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

// Keys says by which keys access tokens are checked. Exactly one member is set.
type Keys struct {
	// Secret is shared with whoever issues tokens (HS256). It has 32 bytes or
	// more (RFC 7518, 3.2), from a source of randomness.
	Secret []byte
	// PublicKey is an *rsa.PublicKey (RS256), an *ecdsa.PublicKey on P-256
	// (ES256) or an ed25519.PublicKey (EdDSA). ParsePublicKey reads one.
	PublicKey crypto.PublicKey
	// JWKSURL is where a JWK Set (RFC 7517) with such public keys is fetched, by
	// http or https. The server there is trusted as the keys are.
	JWKSURL string
}

var (
	errNotOneKind = errors.New("access tokens are checked by exactly one of a secret, a public key and a JWKS URL")
	errPEMSecret  = errors.New("the secret is PEM; what is in a public key's everybody knows, so it must not be a secret")
	errKeyType    = errors.New("a public key is RSA, ECDSA on P-256, or Ed25519")
	errJWKSURL    = errors.New("the JWKS URL is not one of http or https with a host")
	errNoPEM      = errors.New("a public key is one block of PEM that begins with “-----BEGIN PUBLIC KEY-----”")
)

const (
	minSecretSize = 32 // bytes: the size of the hash, RFC 7518, 3.2

	// Of RSA keys, RFC 7518, 3.3 sets the minimum. The maximum is that of
	// crypto/tls: greater ones only cost time.
	minRSABits = 2048
	maxRSABits = 8192
)

// kinds counts the members that are set.
func (k Keys) kinds() (n int) {
	for _, set := range []bool{len(k.Secret) > 0, k.PublicKey != nil, k.JWKSURL != ""} {
		if set {
			n++
		}
	}
	return n
}

func checkSecret(secret []byte) error {
	if len(secret) < minSecretSize {
		return fmt.Errorf("the secret has %d bytes, and needs %d or more", len(secret), minSecretSize)
	}
	if block, _ := pem.Decode(secret); block != nil {
		return errPEMSecret
	}
	return nil
}

// checkURL repeats nothing of the URL, which may have a password in it.
func checkURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return errJWKSURL
	}
	return nil
}

// methodOf is the one algorithm that a public key is for. An error means that
// it is no key to check tokens by.
func methodOf(key crypto.PublicKey) (jwt.SigningMethod, error) {
	switch key := key.(type) {
	case *rsa.PublicKey:
		if key == nil || key.N == nil {
			return nil, errKeyType
		}
		if bits := key.N.BitLen(); bits < minRSABits || bits > maxRSABits {
			return nil, fmt.Errorf("the RSA key has %d bits, and needs %d to %d", bits, minRSABits, maxRSABits)
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

// ParsePublicKey reads a public key from PEM (RFC 7468, section 13): RSA with
// 2048 to 8192 bits, ECDSA on P-256, or Ed25519. The error says what else the
// text is, and repeats nothing of it. Anybody may call it at any time.
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
