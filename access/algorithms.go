package access

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/golang-jwt/jwt/v5"
)

// The sizes of RSA keys. The minimum is from RFC 7518, 3.3. The maximum is that of
// crypto/tls: larger keys only cost time.
const (
	minRSABits = 2048
	maxRSABits = 8192
)

var (
	errKeyType   = errors.New("the public key must be RSA, ECDSA on P-256, P-384 or P-521, or Ed25519")
	errRSANumber = errors.New("the RSA key has an impossible modulus or exponent")
	errAlgorithm = errors.New("no key is for the algorithm of the token")
)

// key is a key, and what it is for.
type key struct {
	id         string   // the “kid” of a JWK, or ""
	algorithms []string // the “alg” that a token may have; never both of a secret and of a public key
	material   any      // []byte, or a public key
}

// isFor reports whether a token says that it is signed by an algorithm of the key. The
// algorithms are those of the key alone, never the token's choice (RFC 8725, 3.1).
func (k key) isFor(token *jwt.Token) bool {
	return slices.Contains(k.algorithms, token.Method.Alg())
}

// of implements jwt.Keyfunc for a single key.
func (k key) of(token *jwt.Token) (any, error) {
	if !k.isFor(token) {
		return nil, errAlgorithm
	}
	return k.material, nil
}

// algorithmsOfSecret returns the algorithms that a secret is long enough for: it has at
// least the size of the hash (RFC 7518, 3.2).
func algorithmsOfSecret(secret []byte) (algorithms []string) {
	for _, hash := range []*jwt.SigningMethodHMAC{jwt.SigningMethodHS256, jwt.SigningMethodHS384, jwt.SigningMethodHS512} {
		if len(secret) >= hash.Hash.Size() {
			algorithms = append(algorithms, hash.Alg())
		}
	}
	return algorithms
}

// algorithmsOf returns the algorithms that a public key is for (RFC 7518, 3.1 and RFC
// 9864, 2.2). The error says why the key cannot check tokens.
func algorithmsOf(public crypto.PublicKey) ([]string, error) {
	switch public := public.(type) {
	case *rsa.PublicKey:
		if err := checkRSA(public); err != nil {
			return nil, err
		}
		return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}, nil
	case *ecdsa.PublicKey:
		if public == nil {
			return nil, errKeyType
		}
		switch public.Curve {
		case elliptic.P256():
			return []string{"ES256"}, nil
		case elliptic.P384():
			return []string{"ES384"}, nil
		case elliptic.P521():
			return []string{"ES512"}, nil
		}
	case ed25519.PublicKey:
		if len(public) == ed25519.PublicKeySize {
			return edDSA, nil
		}
	}
	return nil, errKeyType
}

// checkRSA returns an error if an RSA key is too weak, too slow, or none at all.
func checkRSA(public *rsa.PublicKey) error {
	if public == nil || public.N == nil {
		return errKeyType
	}
	if bits := public.N.BitLen(); bits < minRSABits || bits > maxRSABits {
		return fmt.Errorf("the RSA key has %d bits, but needs %d to %d", bits, minRSABits, maxRSABits)
	}
	if public.N.Bit(0) == 0 || public.E < 3 || public.E > math.MaxInt32 || public.E%2 == 0 {
		return errRSANumber
	}
	return nil
}

// edDSA are two names of one algorithm, that of Ed25519 keys. RFC 9864 gives it a name of
// its own, and deprecates the older name, which also covers Ed448.
var edDSA = []string{jwt.SigningMethodEdDSA.Alg(), ed25519Method{}.Alg()}

// ed25519Method is the algorithm under its new name (RFC 9864, 2.2). Package jwt knows
// only the older name.
type ed25519Method struct{ *jwt.SigningMethodEd25519 }

// Alg implements jwt.SigningMethod.
func (ed25519Method) Alg() string { return "Ed25519" }

func init() {
	jwt.RegisterSigningMethod(ed25519Method{}.Alg(), func() jwt.SigningMethod {
		return ed25519Method{jwt.SigningMethodEdDSA}
	})
}
