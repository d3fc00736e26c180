package access

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net/url"

	"github.com/golang-jwt/jwt/v5"
)

// Keys are the keys that access tokens are checked with. Exactly one field is set.
type Keys struct {
	// Secret is shared with the back end that issues tokens. It has at least 32 random
	// bytes for HS256, 48 for HS384 and 64 for HS512 (RFC 7518, 3.2).
	Secret []byte
	// PublicKey is an *rsa.PublicKey (RS256, RS384, RS512, PS256, PS384, PS512), an
	// *ecdsa.PublicKey on P-256 (ES256), P-384 (ES384) or P-521 (ES512), or an
	// ed25519.PublicKey (Ed25519, which is also called EdDSA). ParsePublicKey returns one.
	PublicKey crypto.PublicKey
	// JWKSURL is the http or https URL of a JWK Set (RFC 7517) with public keys of these
	// types. The server there is trusted like the keys themselves.
	JWKSURL string
}

var (
	errNotOneKind = errors.New("exactly one of a secret, a public key and a JWKS URL must be set")
	errPEMSecret  = errors.New("ACCESS_SECRET contains a PEM key. A public key is not secret: set ACCESS_PUBLIC_KEY instead")
	errJWKSURL    = errors.New("the JWKS URL must be an http or https URL with a host")
	errNoPEM      = errors.New("a public key is one block of PEM that begins with “-----BEGIN PUBLIC KEY-----”")
)

const minSecretSize = 32 // bytes: the size of the smallest hash (RFC 7518, 3.2)

// kinds returns how many fields are set.
func (k Keys) kinds() (n int) {
	for _, set := range []bool{len(k.Secret) > 0, k.PublicKey != nil, k.JWKSURL != ""} {
		if set {
			n++
		}
	}
	return n
}

// open returns a function that finds the key of a token, and a function that ends the
// fetching of keys.
func (k Keys) open(ctx context.Context, logger *slog.Logger, pace pace) (find jwt.Keyfunc, end func(), err error) {
	if k.kinds() != 1 {
		return nil, nil, errNotOneKind
	}
	if k.JWKSURL != "" {
		set, err := openKeySet(ctx, k.JWKSURL, logger, pace)
		if err != nil {
			return nil, nil, err
		}
		return set.keyOf, set.close, nil
	}
	var only key
	if k.PublicKey != nil {
		only.material = k.PublicKey
		only.algorithms, err = algorithmsOf(k.PublicKey)
	} else {
		only.material = bytes.Clone(k.Secret)
		only.algorithms, err = algorithmsOfSecret(k.Secret), checkSecret(k.Secret)
	}
	return only.of, func() {}, err
}

// checkSecret returns an error if the secret is too short, or is not a secret.
func checkSecret(secret []byte) error {
	if len(secret) < minSecretSize {
		return fmt.Errorf("the secret has %d bytes, but needs at least %d", len(secret), minSecretSize)
	}
	// Its line breaks may be written as \n, as in ACCESS_PUBLIC_KEY.
	if bytes.Contains(secret, []byte("-----BEGIN ")) {
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

// ParsePublicKey reads a public key from PEM (RFC 7468, section 13): RSA with 2048 to
// 8192 bits, ECDSA on P-256, P-384 or P-521, or Ed25519. The error says what is wrong with the text,
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
	if _, err := algorithmsOf(key); err != nil {
		return nil, err
	}
	return key, nil
}
