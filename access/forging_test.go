package access

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"
)

// The tests write their tokens by hand, because no library writes most of them. They
// are for Ada, in the lobby.
const (
	room   = "lobby"
	user   = "Ada"
	hsHead = `{"alg":"HS256","typ":"JWT"}`
)

var (
	secret     = []byte("of thirty-two bytes, or some more")
	longSecret = []byte("sixty-four bytes are as many as the hash of HS512 has: here they")
)

// The keys are made once, because making RSA keys takes a while.
var (
	rsaKey   = sync.OnceValue(func() *rsa.PrivateKey { return made(rsa.GenerateKey(rand.Reader, 2048)) })
	ecKey    = sync.OnceValue(func() *ecdsa.PrivateKey { return made(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
	p384Key  = sync.OnceValue(func() *ecdsa.PrivateKey { return made(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)) })
	p521Key  = sync.OnceValue(func() *ecdsa.PrivateKey { return made(ecdsa.GenerateKey(elliptic.P521(), rand.Reader)) })
	edKey    = ed25519.NewKeyFromSeed([]byte("thirty-two bytes are an Ed25519 "))
	otherKey = ed25519.NewKeyFromSeed([]byte("and these thirty-two are another"))
)

func made[K any](key K, err error) K {
	if err != nil {
		panic(err)
	}
	return key
}

// saying returns a payload that grants everything for an hour, with further members.
func saying(more string) string {
	return fmt.Sprintf(`{"sub":"Ada","room":"lobby","exp":%d%s}`, time.Now().Add(time.Hour).Unix(), more)
}

// until returns a payload with this “exp”.
func until(exp string) string { return `{"sub":"Ada","room":"lobby","exp":` + exp + `}` }

func encoded(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// signed returns a token with exactly this header and payload.
func signed(t testing.TB, method jwt.SigningMethod, key any, header, payload string) string {
	t.Helper()
	text := encoded(header) + "." + encoded(payload)
	signature, err := method.Sign(text, key)
	require.NoError(t, err)
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// signedBySecret returns a token with this payload, as a back end would issue it.
func signedBySecret(t testing.TB, payload string) string {
	t.Helper()
	return signed(t, jwt.SigningMethodHS256, secret, hsHead, payload)
}

// verifierOf returns a verifier that is closed at the end of the test.
func verifierOf(t testing.TB, keys Keys) *Verifier {
	t.Helper()
	return verifierWith(t, Options{Keys: keys})
}

// verifierWith is verifierOf with further options.
func verifierWith(t testing.TB, o Options) *Verifier {
	t.Helper()
	v, err := NewVerifier(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(v.Close)
	return v
}

// signedBy returns a token whose header has only the algorithm that it is signed by.
func signedBy(t testing.TB, method jwt.SigningMethod, key any) string {
	t.Helper()
	return signed(t, method, key, `{"alg":"`+method.Alg()+`"}`, saying(""))
}

func requireDenied(t testing.TB, reason Reason, err error) {
	t.Helper()
	var denial *Denial
	require.ErrorAs(t, err, &denial)
	require.Equal(t, reason, denial.Reason)
	require.True(t, strings.HasSuffix(denial.Sentence(), "."), "a sentence for the client")
}

// pemOf returns a public key in PEM, as an operator has it.
func pemOf(t testing.TB, key crypto.PublicKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}
