package access

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/MicahParks/jwkset"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// jwk has the members of a JWK (RFC 7517, section 4; RFC 7518, section 6) that a
// signature is checked with. All other members are left unread: a certificate in
// “x5c”, or its thumbprint in “x5t”, says nothing about the key itself, and issuers
// write them in many ways.
type jwk struct {
	Type      string         `json:"kty"`
	Curve     string         `json:"crv"`
	X         string         `json:"x"`
	Y         string         `json:"y"`
	N         string         `json:"n"`
	E         string         `json:"e"`
	Private   jsontext.Value `json:"d"`
	ID        string         `json:"kid"`
	Algorithm string         `json:"alg"`
	Use       string         `json:"use"`
	Uses      []string       `json:"key_ops"`
}

// otherPurpose is why a key is not for access tokens, although nothing is wrong with it.
type otherPurpose string

func (o otherPurpose) Error() string { return string(o) }

// skippedKey is a key of a set that is not used.
type skippedKey struct {
	id     string
	reason error
}

func (s skippedKey) String() string {
	return fmt.Sprintf("%.64s: %v", cmp.Or(s.id, "(no kid)"), s.reason)
}

var (
	errNoKeys      = errors.New("the answer is not a JWK Set: it has no list “keys”")
	errTooManyKeys = fmt.Errorf("the set has more than %d keys", maxKeysInKeySet)
	errPrivateKey  = errors.New("it is a private key, so everybody that reads the set can sign tokens")
)

// readKeySet returns the keys of a JWK Set (RFC 7517, section 5) that are for access
// tokens, and the keys that are skipped. A key that cannot be read says nothing about
// the other keys.
func readKeySet(text []byte) (keys []key, skipped []skippedKey, err error) {
	var set struct {
		Keys []jsontext.Value `json:"keys"`
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff")) // some editors write it (RFC 8259, 8.1)
	err = json.Unmarshal(text, &set, leniently)
	var malformed *jsontext.SyntacticError
	if errors.As(err, &malformed) {
		return nil, nil, fmt.Errorf("the answer is not JSON: %w", err)
	}
	if err != nil || set.Keys == nil {
		return nil, nil, errNoKeys
	}
	for _, text := range set.Keys {
		one, err := readKey(text)
		if err == nil && len(keys) == maxKeysInKeySet {
			err = errTooManyKeys
		}
		if err != nil {
			skipped = append(skipped, skippedKey{idOf(text), err})
			continue
		}
		keys = append(keys, one)
	}
	return keys, skipped, nil
}

// leniently reads the last of two members with one name (RFC 7517, 4), and text that is
// not UTF-8. So a fault in one key does not make the others unreadable.
var leniently = json.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))

// idOf returns the “kid” of a key, even if the key cannot be read.
func idOf(text jsontext.Value) string {
	var named struct {
		ID string `json:"kid"`
	}
	_ = json.Unmarshal(text, &named, leniently) // without a kid, the reason must do
	return named.ID
}

// readKey returns the key in a JWK, or why it is not for access tokens. The error
// repeats nothing of the key.
func readKey(text jsontext.Value) (key, error) {
	var j jwk
	if err := json.Unmarshal(text, &j, leniently); err != nil {
		return key{}, withoutDetail(err)
	}
	if err := j.checkPurpose(); err != nil {
		return key{}, err
	}
	read, err := jwkset.NewJWKFromMarshal(jwkset.JWKMarshal{
		KTY: jwkset.KTY(j.Type), CRV: jwkset.CRV(j.Curve), X: j.X, Y: j.Y, N: j.N, E: j.E,
	}, jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{})
	if err != nil {
		return key{}, j.wrongNumbers()
	}
	algorithms, err := algorithmsOf(read.Key())
	if err != nil {
		return key{}, err
	}
	if j.Algorithm != "" {
		if !slices.Contains(algorithms, j.Algorithm) {
			return key{}, otherPurpose("its “alg” is not for access tokens by a key of this type")
		}
		// Both names of EdDSA name one algorithm. All other names are exact.
		if !slices.Contains(edDSA, j.Algorithm) {
			algorithms = []string{j.Algorithm}
		}
	}
	return key{j.ID, algorithms, read.Key()}, nil
}

// checkPurpose returns why the key is not there to check signatures with.
func (j jwk) checkPurpose() error {
	switch {
	case j.Private != nil:
		return errPrivateKey
	case !slices.Contains([]string{"RSA", "EC P-256", "EC P-384", "EC P-521", "OKP Ed25519"}, strings.TrimSpace(j.Type+" "+j.Curve)):
		return otherPurpose("its “kty” or “crv” is not for access tokens")
	case j.Use != "" && j.Use != "sig":
		return otherPurpose("its “use” is not “sig”")
	case j.Uses != nil && !slices.Contains(j.Uses, "verify"):
		return otherPurpose("its “key_ops” do not contain “verify”")
	}
	return nil
}

// wrongNumbers returns why the library cannot read the numbers of a key.
func (j jwk) wrongNumbers() error {
	numbers := map[string][]struct{ name, text string }{
		"RSA": {{"n", j.N}, {"e", j.E}},
		"EC":  {{"x", j.X}, {"y", j.Y}},
		"OKP": {{"x", j.X}},
	}
	for _, number := range numbers[j.Type] {
		if number.text == "" {
			return fmt.Errorf("it has no “%s”", number.name)
		}
		if _, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(number.text, "=")); err != nil {
			return fmt.Errorf("its “%s” is not base64url, which has - for + and _ for /", number.name)
		}
	}
	return errors.New("its numbers are not a key")
}

// withoutDetail returns what is wrong with a JWK, without any of its text.
func withoutDetail(err error) error {
	var wrong *json.SemanticError
	if errors.As(err, &wrong) && wrong.JSONPointer != "" {
		return fmt.Errorf("its “%s” has the wrong type", memberOf(wrong.JSONPointer))
	}
	return errors.New("it is not an object")
}

// memberOf returns the member at the beginning of a JSON pointer, for example “exp”.
func memberOf(pointer jsontext.Pointer) string {
	for member := range pointer.Tokens() {
		return member
	}
	return ""
}
