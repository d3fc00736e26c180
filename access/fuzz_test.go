package access

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// For any text, Verify returns a denial. It returns a grant only if the key has really
// signed the text. The test checks the signature without package jwt.
func FuzzVerify(f *testing.F) {
	const forever = `{"sub":"Ada","room":"lobby","exp":4102444800}`
	bySecret := signedBySecret(f, forever)
	byKey := signed(f, jwt.SigningMethodEdDSA, edKey, `{"alg":"EdDSA"}`, forever)
	for _, token := range []string{
		"", ".", "..", "...", bySecret, byKey, bySecret + ".", bySecret + "=", bySecret + "\n", byKey + byKey,
		encoded(`{"alg":"none"}`) + "." + encoded(forever) + ".",
		signed(f, jwt.SigningMethodHS256, []byte(edKey[32:]), hsHead, forever),
		signed(f, jwt.SigningMethodEdDSA, otherKey, `{"alg":"EdDSA"}`, forever),
		signedBySecret(f, `null`), signedBySecret(f, `{}`), signed(f, jwt.SigningMethodHS256, secret, `null`, forever),
		signed(f, jwt.SigningMethodHS256, secret, `{"alg":"HS256","crit":["b64"],"b64":false}`, forever),
		signed(f, jwt.SigningMethodHS256, secret, `{"alg":"HS256","kid":"../x","jku":"http://127.0.0.1:1/"}`, forever),
	} {
		f.Add(token)
	}
	secretly, publicly := verifierOf(f, Keys{Secret: secret}), verifierOf(f, Keys{PublicKey: edKey.Public()})
	f.Fuzz(func(t *testing.T, token string) {
		text, signature := cutSignature(token)
		if granted(t, secretly, token) {
			mac := hmac.New(sha256.New, secret)
			mac.Write([]byte(text))
			if !hmac.Equal(mac.Sum(nil), signature) {
				t.Fatalf("granted without a signature: %q", token)
			}
		}
		if granted(t, publicly, token) && !ed25519.Verify(edKey.Public().(ed25519.PublicKey), []byte(text), signature) {
			t.Fatalf("granted without a signature: %q", token)
		}
	})
}

// For any signed payload, Verify returns a denial, or a grant. Another JSON reader
// must find that grant in the payload too.
func FuzzVerifySigned(f *testing.F) {
	for _, payload := range []string{
		`{"sub":"Ada","room":"lobby","exp":4102444800}`, `{"sub":"Ada","room":"l*","exp":4102444800.5,"max":4,"can":["chat"]}`,
		`{"sub":"Ada","room":"*","exp":"4102444800"}`, `{"sub":"Ada","sub":"Eve","room":"lobby","exp":4102444800}`,
		`{"sub":"Ada","room":"lobby","exp":1e300}`, `{"sub":"Ada","room":"lobby","exp":4102444800,"can":null,"max":-1}`, `null`, `[]`, ``,
	} {
		f.Add(hsHead, payload)
	}
	f.Add(`{"alg":"none"}`, `{"sub":"Ada","room":"lobby","exp":4102444800}`)
	f.Add(`{"alg":"HS256","crit":[]}`, `{"sub":"Ada","room":"lobby","exp":4102444800}`)
	v := verifierOf(f, Keys{Secret: secret})
	f.Fuzz(func(t *testing.T, header, payload string) {
		token := signed(t, jwt.SigningMethodHS256, secret, header, payload)
		if !granted(t, v, token) {
			return
		}
		var head, said map[string]any
		if json.Unmarshal([]byte(header), &head) != nil || json.Unmarshal([]byte(payload), &said) != nil {
			t.Fatal("granted by a payload that is not JSON")
		}
		roomSaid, _ := said["room"].(string)
		exp, _ := said["exp"].(float64)
		if head["alg"] != "HS256" || said["sub"] != user || exp <= float64(time.Now().Add(-time.Minute).Unix()) ||
			roomSaid != room && (!strings.HasSuffix(roomSaid, "*") || !strings.HasPrefix(room, strings.TrimSuffix(roomSaid, "*"))) {
			t.Fatalf("granted by %q", payload)
		}
	})
}

// granted reports whether Verify accepts a token. It fails the test if Verify breaks a
// promise.
func granted(t *testing.T, v *Verifier, token string) bool {
	got, err := v.Verify(token, room, user)
	if err != nil {
		var denial *Denial
		if !errors.As(err, &denial) || denial.Sentence() == "" || got != (Grant{}) {
			t.Fatalf("%v is not a denial, or grants %v", err, got)
		}
		return false
	}
	if got.MaxMembers < 0 || got.Can == 0 || !got.ExpiresAt.After(time.Now().Add(-time.Second)) {
		t.Fatalf("granted %v", got)
	}
	return true
}

// cutSignature separates a token's text from its signature.
func cutSignature(token string) (text string, signature []byte) {
	at := strings.LastIndex(token, ".")
	if at < 0 {
		return token, nil
	}
	signature, _ = base64.RawURLEncoding.DecodeString(token[at+1:])
	return token[:at], signature
}
