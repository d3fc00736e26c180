package access

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestKeysAreOfOneKind(t *testing.T) {
	for _, keys := range []Keys{
		{}, {Secret: []byte{}}, {Secret: secret, PublicKey: edKey.Public()}, {Secret: secret, JWKSURL: "https://example.org/"},
		{PublicKey: edKey.Public(), JWKSURL: "https://example.org/"},
	} {
		_, err := NewVerifier(t.Context(), Options{Keys: keys})
		require.ErrorIs(t, err, errNotOneKind)
	}
}

func TestKeysThatProtectNothingAreRefused(t *testing.T) {
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	require.NoError(t, err)
	for says, keys := range map[string]Keys{
		"31 bytes":        {Secret: []byte(strings.Repeat("x", 31))},
		"PEM":             {Secret: pemOf(t, rsaKey().Public())}, // a public key is not secret
		"PEM key":         {Secret: bytes.ReplaceAll(pemOf(t, rsaKey().Public()), []byte("\n"), []byte(`\n`))},
		"a PEM":           {Secret: bytes.ReplaceAll(pemOf(t, edKey.Public()), []byte("\n"), []byte(" "))},
		"contains a PEM":  {Secret: append([]byte(`"`), pemOf(t, edKey.Public())...)},
		"1024 bits":       {PublicKey: small.Public()},
		"on P-256":        {PublicKey: p224.Public()},
		"must be RSA":     {PublicKey: rsaKey()}, // this is a private key
		"ECDSA":           {PublicKey: secret},
		"Ed25519":         {PublicKey: ed25519.PublicKey("short")},
		"public key must": {PublicKey: (*rsa.PublicKey)(nil)},
		"P-384 or P-521":  {PublicKey: (*ecdsa.PublicKey)(nil)},
		"impossible":      {PublicKey: &rsa.PublicKey{N: rsaKey().N, E: 65536}},
		"or exponent":     {PublicKey: &rsa.PublicKey{N: rsaKey().N, E: 1}},
		"modulus":         {PublicKey: &rsa.PublicKey{N: new(big.Int).Lsh(rsaKey().N, 1), E: 65537}},
	} {
		_, err := NewVerifier(t.Context(), Options{Keys: keys})
		require.ErrorContains(t, err, says)
	}
	for _, url := range []string{"keys", "/keys", "ftp://example.org/", "file:///etc/passwd", "http://", "https:///keys", "http://:80/", "://", "http://hunter2@ex\x00ample.org/"} {
		_, err := NewVerifier(t.Context(), Options{Keys: Keys{JWKSURL: url}})
		require.ErrorIs(t, err, errJWKSURL)
		require.NotContains(t, err.Error(), "hunter2")
	}
}

func TestAVerifierKeepsItsOwnCopyOfTheSecret(t *testing.T) {
	shared := []byte(string(secret))
	v := verifierOf(t, Keys{Secret: shared})
	clear(shared)
	_, err := v.Verify(signedBySecret(t, saying("")), room, user)
	require.NoError(t, err)
}

func TestParsePublicKeyTakesPublicKeysOnly(t *testing.T) {
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	require.NoError(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(edKey)
	require.NoError(t, err)
	block := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	good := pemOf(t, edKey.Public())
	for name, text := range map[string][]byte{
		"nothing":          nil,
		"no PEM":           []byte("key"),
		"a private key":    block("PRIVATE KEY", private),
		"in disguise":      block("PUBLIC KEY", private),
		"PKCS #1":          block("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&rsaKey().PublicKey)),
		"1024 bits":        pemOf(t, small.Public()),
		"another curve":    pemOf(t, p224.Public()),
		"broken":           block("PUBLIC KEY", []byte("\x30\x03x")),
		"two keys":         append(pemOf(t, ecKey().Public()), good...),
		"something beside": append(good[:len(good):len(good)], "x"...),
	} {
		key, err := ParsePublicKey(text)
		require.Error(t, err, name)
		require.Nil(t, key, name)
	}
	key, err := ParsePublicKey(append([]byte("\n"), append(good, "\n \n"...)...))
	require.NoError(t, err)
	require.Equal(t, edKey.Public(), key)
}
