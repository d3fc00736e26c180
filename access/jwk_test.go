package access

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"
)

// rsaJWKOf returns an RSA key of a JWK Set with these numbers.
func rsaJWKOf(n, e []byte, more string) string {
	return fmt.Sprintf(`{"kty":"RSA","n":%q,"e":%q%s}`, base64url(n), base64url(e), more)
}

var exponent = []byte{1, 0, 1}

func curveJWK(t testing.TB, name string, key *ecdsa.PrivateKey, more string) string {
	point, err := key.PublicKey.Bytes()
	require.NoError(t, err)
	half := len(point) / 2
	return fmt.Sprintf(`{"kty":"EC","crv":%q,"x":%q,"y":%q%s}`, name, base64url(point[1:1+half]), base64url(point[1+half:]), more)
}

// A key that is not for access tokens, or that cannot be read, says nothing about the
// other keys of its set (RFC 7517, section 5).
func TestAKeyThatCannotBeUsedIsSkippedAndNotTheSet(t *testing.T) {
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	n, b := rsaKey().N.Bytes(), kid("b")
	forged := []string{
		signedAs(t, "b", otherKey), signed(t, jwt.SigningMethodRS256, rsaKey(), `{"alg":"RS256","kid":"b"}`, saying("")),
		signed(t, jwt.SigningMethodHS256, secret, `{"alg":"HS256","kid":"b"}`, saying("")),
		signedBy(t, jwt.SigningMethodRS256, rsaKey()), signedBy(t, jwt.SigningMethodEdDSA, otherKey),
	}
	const isUsual = true
	for name, c := range map[string]struct {
		jwk, reason string
		isUsual     bool
	}{
		// What issuers publish beside the keys for signatures.
		"RSA-OAEP":          {rsaJWK(b + `,"alg":"RSA-OAEP","use":"enc"`), "b: its “use” is not “sig”", isUsual},
		"RSA-OAEP, no use":  {rsaJWK(b + `,"alg":"RSA-OAEP"`), "b: its “alg” is not for access tokens", isUsual},
		"another use":       {rsaJWK(b + `,"use":"signature"`), "b: its “use” is not “sig”", isUsual},
		"to encrypt":        {rsaJWK(b + `,"key_ops":["encrypt","wrapKey"]`), "b: its “key_ops” do not contain “verify”", isUsual},
		"for nothing":       {rsaJWK(b + `,"key_ops":[]`), "b: its “key_ops” do not contain “verify”", isUsual},
		"X25519":            {`{"kty":"OKP","crv":"X25519","x":"AAAA","kid":"b"}`, "b: its “kty” or “crv”", isUsual},
		"Ed448":             {`{"kty":"OKP","crv":"Ed448","x":"AAAA","kid":"b"}`, "b: its “kty” or “crv”", isUsual},
		"secp256k1":         {`{"kty":"EC","crv":"secp256k1","x":"AAAA","y":"AAAA","kid":"b"}`, "b: its “kty” or “crv”", isUsual},
		"a secret":          {fmt.Sprintf(`{"kty":"oct","k":%q,"kid":"b"}`, base64url(secret)), "b: its “kty” or “crv”", isUsual},
		"a broken secret":   {`{"kty":"oct","k":"!","kid":"b"}`, "b: its “kty” or “crv”", isUsual},
		"ML-DSA":            {`{"kty":"AKP","alg":"ML-DSA-44","pub":"AAAA","kid":"b"}`, "b: its “kty” or “crv”", isUsual},
		"alg of P-256":      {curveJWK(t, "P-384", p384Key(), b+`,"alg":"ES256"`), "b: its “alg” is not for access tokens", isUsual},
		"HMAC by a curve":   {edJWK(otherKey, b+`,"alg":"HS256"`), "b: its “alg” is not for access tokens", isUsual},
		"no signature":      {edJWK(otherKey, b+`,"alg":"none"`), "b: its “alg” is not for access tokens", isUsual},
		"a name in capital": {edJWK(otherKey, b+`,"alg":"EDDSA"`), "b: its “alg” is not for access tokens", isUsual},

		// What nobody should publish.
		"private Ed25519": {edJWK(otherKey, b+fmt.Sprintf(`,"d":%q`, base64url(otherKey[:32]))), "b: it is a private key", false},
		"private RSA":     {rsaJWK(b + fmt.Sprintf(`,"d":%q`, base64url(rsaKey().D.Bytes()))), "b: it is a private key", false},
		"private, null":   {edJWK(otherKey, b+`,"d":null`), "b: it is a private key", false},
		"1024 bits":       {rsaJWKOf(small.N.Bytes(), exponent, b), "b: the RSA key has 1024 bits", false},
		"16,384 bits":     {rsaJWKOf(append([]byte{0xff}, make([]byte, 2047)...), exponent, b), "b: the RSA key has 16384 bits", false},
		"even exponent":   {rsaJWKOf(n, []byte{1, 0, 0}, b), "b: the RSA key has an impossible", false},
		"exponent 1":      {rsaJWKOf(n, []byte{1}, b), "b: its numbers are not a key", false},
		"huge exponent":   {rsaJWKOf(n, []byte{1, 0, 0, 0, 0}, b), "b: its numbers are not a key", false},
		"wraps around":    {rsaJWKOf(n, []byte{1, 0, 0, 0, 0, 0, 1, 0, 1}, b), "b: its numbers are not a key", false},
		"even modulus":    {rsaJWKOf(new(big.Int).Lsh(rsaKey().N, 1).Bytes(), exponent, b), "b: the RSA key has an impossible", false},

		// What cannot be read.
		"a number as kid": {rsaJWK(`,"kid":7`), "(no kid): its “kid” has the wrong type", false},
		"a number as n":   {`{"kid":"b","kty":"RSA","n":7,"e":"AQAB"}`, "b: its “n” has the wrong type", false},
		"a number as e":   {`{"kty":"RSA","n":"AAAA","e":65537,"kid":"b"}`, "b: its “e” has the wrong type", false},
		"text as key_ops": {rsaJWK(b + `,"key_ops":"verify"`), "b: its “key_ops” has the wrong type", false},
		"no n":            {`{"kty":"RSA","e":"AQAB","kid":"b"}`, "b: it has no “n”", false},
		"no e":            {rsaJWKOf(n, nil, b), "b: it has no “e”", false},
		"no y":            {fmt.Sprintf(`{"kty":"EC","crv":"P-256","x":%q,"kid":"b"}`, base64url(n[:32])), "b: it has no “y”", false},
		"no x":            {`{"kty":"OKP","crv":"Ed25519","kid":"b"}`, "b: it has no “x”", false},
		"no curve":        {`{"kty":"EC","x":"AAAA","y":"AAAA","kid":"b"}`, "b: its “kty” or “crv”", isUsual},
		"not on curve":    {`{"kty":"EC","crv":"P-256","x":"AAAA","y":"AAAA","kid":"b"}`, "b: its numbers are not a key", false},
		"short":           {`{"kty":"OKP","crv":"Ed25519","x":"AAAA","kid":"b"}`, "b: its numbers are not a key", false},
		"other base64":    {fmt.Sprintf(`{"kty":"RSA","n":%q,"e":"AQAB","kid":"b"}`, base64.StdEncoding.EncodeToString(append([]byte{0xff, 0xff}, n...))), "b: its “n” is not base64url, which has - for + and _ for /", false},
		"y in base64":     {`{"kty":"EC","crv":"P-256","x":"AAAA","y":"AA+A","kid":"b"}`, "b: its “y” is not base64url", false},
		"x in base64":     {`{"kty":"OKP","crv":"Ed25519","x":"AA/A","kid":"b"}`, "b: its “x” is not base64url", false},
		"e of one letter": {`{"kty":"RSA","n":"AAAA","e":"A","kid":"b"}`, "b: its “e” is not base64url", false},
		"no members":      {`{}`, "(no kid): its “kty”", isUsual},
		"null":            {`null`, "(no kid): its “kty”", isUsual},
		"text":            {`"b"`, "(no kid): it is not an object", false},
		"a list":          {`["b"]`, "(no kid): it is not an object", false},
		"a long name":     {rsaJWK(kid(strings.Repeat("b", 65)) + `,"use":"enc"`), " keys=\"" + strings.Repeat("b", 64) + ": ", isUsual},
	} {
		t.Run(name, func(t *testing.T) {
			s := newKeyServer(t, keys(c.jwk, edJWK(edKey, kid("good"))))
			v, logged := keySetVerifier(t, s.URL, eager)
			requireGranted(t, v, signedAs(t, "good", edKey))
			for _, token := range forged {
				requireInvalid(t, v, token)
			}
			require.Greater(t, s.asked.Load(), int32(1), "the set was fetched again")
			require.Equal(t, 1, strings.Count(logged.String(), "\n"), "and the skipped key was logged once: %s", logged)
			require.Contains(t, logged.String(), c.reason)
			require.Equal(t, c.isUsual, strings.Contains(logged.String(), "level=INFO"), logged)
			require.NotContains(t, logged.String(), base64url(secret))
			require.NotContains(t, logged.String(), base64url(otherKey[:32]))
		})
	}
}

// Of a key, only that is read which a signature is checked with.
func TestOnlyWhatIsNeededOfAKeyIsRead(t *testing.T) {
	elsewhere := newKeyServer(t, text(http.StatusOK, ""))
	n, b := rsaKey().N.Bytes(), kid("b")
	for name, jwk := range map[string]string{
		"x5t in hexadecimal":      rsaJWK(b + `,"x5t":"A1B2C3D4E5F60718293A4B5C6D7E8F9001122334","x5c":["MIIB"]`),
		"x5t of hexadecimal":      rsaJWK(b + `,"x5t":"QTFCMkMzRDRFNUY2MDcxODI5M0E0QjVDNkQ3RThGOTAwMTEyMjMzNA"`),
		"x5t with colons":         rsaJWK(b + `,"x5t":"A1:B2:C3","x5t#S256":"A1:B2"`),
		"x5c, not a certificate":  rsaJWK(b + `,"x5c":["not base64"]`),
		"x5c, not a list":         rsaJWK(b + `,"x5c":"MIIB"`),
		"x5u":                     rsaJWK(b + `,"x5u":"` + elsewhere.URL + `"`),
		"x5u, not a URL":          rsaJWK(b + `,"x5u":":"`),
		"members of other types":  rsaJWK(b + `,"y":"!","crv":null,"oth":7,"p":[],"exp":"never","iat":1e400`),
		"a member twice":          rsaJWK(b + `,"x":"1","x":"2","ext":{"a":1,"a":2}`),
		"not UTF-8":               rsaJWK(b + ",\"ext\":\"\xff\""),
		"null":                    rsaJWK(b + `,"alg":null,"use":null,"key_ops":null`),
		"verify and more":         rsaJWK(b + `,"key_ops":["sign","verify","of our own"]`),
		"all it may say":          rsaJWK(b + `,"alg":"RS256","use":"sig","key_ops":["verify"]`),
		"padding":                 fmt.Sprintf(`{"kty":"RSA","n":"%s==","e":"AQAB","kid":"b"}`, base64url(n)),
		"a 0 before the modulus":  rsaJWKOf(append([]byte{0}, n...), exponent, b),
		"a 0 before the exponent": rsaJWKOf(n, append([]byte{0}, exponent...), b),
	} {
		t.Run(name, func(t *testing.T) {
			s := newKeyServer(t, keys(jwk))
			v, logged := keySetVerifier(t, s.URL, eager)
			requireGranted(t, v, signed(t, jwt.SigningMethodRS256, rsaKey(), `{"alg":"RS256","kid":"b"}`, saying("")))
			require.Empty(t, logged.String())
		})
	}
	require.Zero(t, elsewhere.asked.Load())
}

// The members that well-known issuers write, with a key of ours.
func TestTheSetsOfIssuersAreRead(t *testing.T) {
	n, certificate := base64url(rsaKey().N.Bytes()), `"x5c":["MIIC+DCCAeCgAwIBAgIJBIGjYW6hFpn2MA0GCSqGSIb3DQEBBQUAMCMx"]`
	rs256 := signed(t, jwt.SigningMethodRS256, rsaKey(), `{"alg":"RS256","typ":"JWT","kid":"b"}`, saying(""))
	es256 := signed(t, jwt.SigningMethodES256, ecKey(), `{"alg":"ES256","typ":"JWT","kid":"b"}`, saying(""))
	for issuer, c := range map[string]struct{ set, token string }{
		"Auth0":     {`{"keys":[{"kty":"RSA","use":"sig","n":"` + n + `","e":"AQAB","kid":"b","x5t":"QTFCMkMzRDRFNUY2MDcxODI5M0E0QjVDNkQ3RThGOTAwMTEyMjMzNA",` + certificate + `,"alg":"RS256"}]}`, rs256},
		"Okta":      {`{"keys":[{"kty":"RSA","alg":"RS256","kid":"b","use":"sig","e":"AQAB","n":"` + n + `"}]}`, rs256},
		"Keycloak":  {`{"keys":[{"kid":"o","kty":"RSA","alg":"RSA-OAEP","use":"enc",` + certificate + `,"x5t":"x","x5t#S256":"x","n":"` + n + `","e":"AQAB"},{"kid":"b","kty":"RSA","alg":"RS256","use":"sig",` + certificate + `,"x5t":"x","x5t#S256":"x","n":"` + n + `","e":"AQAB"}]}`, rs256},
		"Entra ID":  {`{"keys":[{"kty":"RSA","use":"sig","kid":"b","x5t":"b","n":"` + n + `","e":"AQAB",` + certificate + `,"cloud_instance_name":"microsoftonline.com","issuer":"https://login.microsoftonline.com/{tenantid}/v2.0"}]}`, rs256},
		"Cognito":   {`{"keys":[{"alg":"RS256","e":"AQAB","kid":"b","kty":"RSA","n":"` + n + `","use":"sig"}]}`, rs256},
		"Google":    {`{"keys":[{"n":"` + n + `","use":"sig","alg":"RS256","e":"AQAB","kty":"RSA","kid":"b"},{"n":"` + n + `","e":"AQAB","use":"sig","kid":"c","alg":"RS256","kty":"RSA"}]}`, rs256},
		"Firebase":  {`{"keys":[{"kid":"b","e":"AQAB","use":"sig","n":"` + n + `","alg":"RS256","kty":"RSA"}]}`, rs256},
		"Supabase":  {`{"keys":[` + ecJWK(t, `,"alg":"ES256","ext":true,"key_ops":["verify"],"use":"sig","kid":"b"`) + `]}`, es256},
		"an editor": {"\ufeff{\r\n\"keys\":[" + ecJWK(t, kid("b")) + "],\"keys \":1}\r\n", es256},
	} {
		t.Run(issuer, func(t *testing.T) {
			v, logged := keySetVerifier(t, newKeyServer(t, text(http.StatusOK, c.set)).URL, eager)
			requireGranted(t, v, c.token)
			require.NotContains(t, logged.String(), "level=WARN")
			require.NotContains(t, logged.String(), "level=ERROR")
		})
	}
}

func TestSkippedKeysAreLoggedOncePerChange(t *testing.T) {
	enc, good := rsaJWK(kid("enc")+`,"use":"enc"`), edJWK(edKey, kid("good"))
	s := newKeyServer(t, keys(enc, good))
	v, logged := keySetVerifier(t, s.URL+"/hunter2", eager)
	lines := func() int { return strings.Count(logged.String(), "not used for access tokens") }
	fetch := func() { requireInvalid(t, v, signedAs(t, "unknown", edKey)) }
	fetch()
	require.Equal(t, 1, lines())
	s.now(keys(good))
	fetch()
	require.Equal(t, 1, lines(), "no key is skipped now")
	s.now(keys(good, enc, rsaJWK(kid("ops")+`,"key_ops":[]`)))
	fetch()
	s.now(keys(rsaJWK(kid("ops")+`,"key_ops":[]`), good, enc)) // in another order
	fetch()
	require.Equal(t, 2, lines())
	require.Contains(t, logged.String(), "enc: its “use” is not “sig”; ops: its “key_ops” do not contain “verify”")
	require.NotContains(t, logged.String(), "hunter2")

	many := make([]string, 200)
	for i := range many {
		many[i] = enc
	}
	s.now(keys(append(many, good, edJWK(otherKey, kid("zz")+`,"d":"AAAA"`))...))
	fetch()
	require.Equal(t, 3, lines())
	require.Contains(t, logged.String(), "level=WARN", "something is wrong with a key that is not shown")
	require.Contains(t, logged.String(), "; and 181 more")
	requireGranted(t, v, signedAs(t, "good", edKey))
}

// Of many keys, the first are used: a token without “kid” may need all of them.
func TestASetHasABoundedNumberOfKeys(t *testing.T) {
	many := make([]string, maxKeysInKeySet-1)
	for i := range many {
		many[i] = edJWK(otherKey, kid(fmt.Sprint(i)))
	}
	v, logged := keySetVerifier(t, newKeyServer(t, keys(append(many, edJWK(edKey, kid("last")), edJWK(edKey, kid("beyond")))...)).URL, eager)
	requireGranted(t, v, signedAs(t, "last", edKey))
	requireInvalid(t, v, signedAs(t, "beyond", edKey))
	require.Contains(t, logged.String(), "beyond: the set has more than 100 keys")
}

// Two keys may have one name (RFC 7517, 4.5).
func TestKeysWithOneNameAreAllTried(t *testing.T) {
	v, _ := keySetVerifier(t, newKeyServer(t, keys(edJWK(otherKey, kid("k")), rsaJWK(kid("k")), edJWK(edKey, kid("k")))).URL, eager)
	requireGranted(t, v, signedAs(t, "k", edKey))
	requireGranted(t, v, signedAs(t, "k", otherKey))
	requireGranted(t, v, signed(t, jwt.SigningMethodRS256, rsaKey(), `{"alg":"RS256","kid":"k"}`, saying("")))
	requireInvalid(t, v, signed(t, jwt.SigningMethodES256, ecKey(), `{"alg":"ES256","kid":"k"}`, saying("")))
}

func TestTheAlgOfAKeyRestrictsItToThatAlgorithm(t *testing.T) {
	s := newKeyServer(t, keys(
		rsaJWK(kid("RSA")), rsaJWK(kid("PS256")+`,"alg":"PS256"`), rsaJWK(kid("RS512")+`,"alg":"RS512"`),
		curveJWK(t, "P-384", p384Key(), kid("P-384")), curveJWK(t, "P-521", p521Key(), kid("ES512")+`,"alg":"ES512"`),
		// Both names of the algorithm of Ed25519 are right for either (RFC 9864, 2.2).
		edJWK(edKey, kid("old")+`,"alg":"EdDSA"`), edJWK(edKey, kid("new")+`,"alg":"Ed25519"`),
	))
	v, logged := keySetVerifier(t, s.URL, eager)
	require.Empty(t, logged.String())
	own := ownSignatures()
	accepted := map[string][]string{
		"RSA": {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}, "PS256": {"PS256"}, "RS512": {"RS512"},
		"P-384": {"ES384"}, "ES512": {"ES512"}, "old": {"EdDSA", "Ed25519"}, "new": {"EdDSA", "Ed25519"},
	}
	for name, algorithms := range accepted {
		for _, signatures := range own {
			for _, s := range signatures {
				token := signed(t, s.method, s.key, `{"alg":"`+s.method.Alg()+`"`+kid(name)+`}`, saying(""))
				_, err := v.Verify(token, room, user)
				require.Equal(t, strings.Contains(strings.Join(algorithms, " "), s.method.Alg()), err == nil, "%s by %s", name, s.method.Alg())
			}
		}
	}
}

// FuzzReadKeySet shows that no answer is fatal, and that each key that is read can check
// signatures.
func FuzzReadKeySet(f *testing.F) {
	for _, set := range []string{
		`{"keys":[` + rsaJWK(kid("b")) + `,` + edJWK(edKey, "") + `,` + ecJWK(f, `,"alg":"ES256","key_ops":["verify"]`) + `]}`,
		`{"keys":[{"kty":"oct","k":"AAAA"},null,7,{"kty":"RSA","n":"AAAA","e":"AQAB","d":"AAAA"}]}`, `{"keys":null}`, `null`, "\ufeff{}", `[]`,
	} {
		f.Add([]byte(set))
	}
	f.Fuzz(func(t *testing.T, set []byte) {
		keys, skipped, err := readKeySet(set)
		if err != nil && len(keys)+len(skipped) > 0 {
			t.Fatal("an error, and keys")
		}
		for _, k := range keys {
			if algorithms, err := algorithmsOf(k.material); err != nil || len(k.algorithms) == 0 || len(k.algorithms) > len(algorithms) {
				t.Fatalf("%v is for %v: %v", algorithms, k.algorithms, err)
			}
		}
		for _, one := range skipped {
			if len(one.reason.Error()) > 100 {
				t.Fatalf("the reason repeats the key: %v", one)
			}
		}
	})
}
