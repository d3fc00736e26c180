package access

import (
	"crypto"
	"crypto/ecdsa"
	"encoding/base64"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"
)

// allKinds returns a verifier for each kind of key, except for a JWK Set.
func allKinds(t testing.TB) map[string]*Verifier {
	return map[string]*Verifier{
		"secret":      verifierOf(t, Keys{Secret: secret}),
		"long secret": verifierOf(t, Keys{Secret: longSecret}),
		"RSA":         verifierOf(t, Keys{PublicKey: rsaKey().Public()}),
		"ECDSA":       verifierOf(t, Keys{PublicKey: ecKey().Public()}),
		"P-384":       verifierOf(t, Keys{PublicKey: p384Key().Public()}),
		"P-521":       verifierOf(t, Keys{PublicKey: p521Key().Public()}),
		"EdDSA":       verifierOf(t, Keys{PublicKey: edKey.Public()}),
	}
}

func TestUnsignedTokensAreInvalid(t *testing.T) {
	claims := saying("")
	for kind, v := range allKinds(t) {
		// “none” is a registered algorithm. Some libraries ignored the case of its name.
		for _, alg := range []string{"none", "None", "NONE", "nOnE", "none ", " none", "non\\u0065", "none\\u0000", ""} {
			header := `{"alg":"` + alg + `","typ":"JWT"}`
			for _, signature := range []string{"", encoded("x"), encoded(header)} {
				_, err := v.Verify(encoded(header)+"."+encoded(claims)+"."+signature, room, user)
				requireDenied(t, Invalid, err)
			}
		}
		for _, header := range []string{
			`{}`, `null`, `[]`, `"HS256"`, ``, // a header without an algorithm
			`{"alg":null}`, `{"alg":256}`, `{"alg":["HS256"]}`, `{"alg":{"alg":"HS256"}}`, // an algorithm that is not text
			`{"ALG":"HS256"}`, `{"alg":"hs256"}`, // names are exact
			`{"alg":"HS256","alg":"none"}`, // package jwt takes the last of two members
		} {
			_, err := v.Verify(signed(t, jwt.SigningMethodHS256, secret, header, claims), room, user)
			requireDenied(t, Invalid, err)
			_, err = v.Verify(encoded(header)+"."+encoded(claims)+".", room, user)
			require.Error(t, err, kind)
		}
	}
}

// signature is a way to sign.
type signature struct {
	method jwt.SigningMethod
	key    any
}

// ownSignatures are all signatures that the verifiers of allKinds accept.
func ownSignatures() map[string][]signature {
	ed25519Named := jwt.GetSigningMethod("Ed25519")
	return map[string][]signature{
		"secret":      {{jwt.SigningMethodHS256, secret}},
		"long secret": {{jwt.SigningMethodHS256, longSecret}, {jwt.SigningMethodHS384, longSecret}, {jwt.SigningMethodHS512, longSecret}},
		"RSA": {
			{jwt.SigningMethodRS256, rsaKey()}, {jwt.SigningMethodRS384, rsaKey()}, {jwt.SigningMethodRS512, rsaKey()},
			{jwt.SigningMethodPS256, rsaKey()}, {jwt.SigningMethodPS384, rsaKey()}, {jwt.SigningMethodPS512, rsaKey()},
		},
		"ECDSA": {{jwt.SigningMethodES256, ecKey()}},
		"P-384": {{jwt.SigningMethodES384, p384Key()}},
		"P-521": {{jwt.SigningMethodES512, p521Key()}},
		"EdDSA": {{jwt.SigningMethodEdDSA, edKey}, {ed25519Named, edKey}},
	}
}

func TestEachKeyAcceptsItsOwnAlgorithmsOnly(t *testing.T) {
	for kind, v := range allKinds(t) {
		for other, signatures := range ownSignatures() {
			for _, s := range signatures {
				_, err := v.Verify(signedBy(t, s.method, s.key), room, user)
				if other == kind {
					require.NoError(t, err, "%s by %s", kind, s.method.Alg())
				} else {
					requireDenied(t, Invalid, err)
				}
			}
		}
	}
}

func TestTheKeyDecidesTheAlgorithm(t *testing.T) {
	hmac := []jwt.SigningMethod{jwt.SigningMethodHS256, jwt.SigningMethodHS384, jwt.SigningMethodHS512}
	forgeries := map[string][]signature{
		"secret": {
			// The right secret, but it is shorter than the hash (RFC 7518, 3.2).
			{jwt.SigningMethodHS384, secret}, {jwt.SigningMethodHS512, secret},
			// Secrets that somebody forgot to set.
			{jwt.SigningMethodHS256, []byte{}}, {jwt.SigningMethodHS256, []byte("secret")}, {jwt.SigningMethodHS256, secret[:32]},
		},
		// The right key, but in another way than its curve has.
		"ECDSA": {{padded{jwt.SigningMethodES256, jwt.SigningMethodES384}, ecKey()}, {padded{jwt.SigningMethodES256, jwt.SigningMethodES512}, ecKey()}},
		"P-384": {{padded{jwt.SigningMethodES384, jwt.SigningMethodES512}, p384Key()}},
		// Another key of the same type.
		"EdDSA": {{jwt.SigningMethodEdDSA, otherKey}, {jwt.GetSigningMethod("Ed25519"), otherKey}},
	}
	// Algorithm confusion: the public key, which everybody knows, is used as the secret.
	for _, method := range hmac {
		for kind, public := range map[string]crypto.PublicKey{
			"RSA": rsaKey().Public(), "ECDSA": ecKey().Public(), "P-384": p384Key().Public(), "P-521": p521Key().Public(), "EdDSA": edKey.Public(),
		} {
			forgeries[kind] = append(forgeries[kind], signature{method, pemOf(t, public)}, signature{method, []byte{}})
		}
		forgeries["RSA"] = append(forgeries["RSA"], signature{method, rsaKey().N.Bytes()})
		// The 32 bytes of a key are as long as a secret.
		forgeries["EdDSA"] = append(forgeries["EdDSA"], signature{method, []byte(edKey[32:])})
	}
	verifiers := allKinds(t)
	for kind, all := range forgeries {
		for _, f := range all {
			_, err := verifiers[kind].Verify(signedBy(t, f.method, f.key), room, user)
			requireDenied(t, Invalid, err)
		}
	}
	// A header that names the expected algorithm, with a signature by another.
	for kind, own := range ownSignatures() {
		for _, s := range own {
			header := `{"alg":"` + s.method.Alg() + `"}`
			_, err := verifiers[kind].Verify(signed(t, jwt.SigningMethodHS384, otherSecret, header, saying("")), room, user)
			requireDenied(t, Invalid, err)
		}
	}
}

// padded signs for a smaller curve, by the hash and in the size of a larger one. Package
// jwt accepts that, because it does not compare the curve with the algorithm.
type padded struct{ curve, named *jwt.SigningMethodECDSA }

func (p padded) Alg() string                      { return p.named.Alg() }
func (p padded) Verify(string, []byte, any) error { panic("a forger only signs") }

func (p padded) Sign(text string, key any) ([]byte, error) {
	byHash := *p.curve
	byHash.Hash = p.named.Hash
	short, err := byHash.Sign(text, key)
	if err != nil {
		return nil, err
	}
	half, long := p.curve.KeySize, make([]byte, 2*p.named.KeySize)
	copy(long[p.named.KeySize-half:], short[:half])
	copy(long[2*p.named.KeySize-half:], short[half:])
	return long, p.named.Verify(text, long, &key.(*ecdsa.PrivateKey).PublicKey)
}

func TestASignatureIsValidForItsTokenOnly(t *testing.T) {
	signatures := ownSignatures()
	for kind, v := range allKinds(t) {
		token := signedBy(t, signatures[kind][0].method, signatures[kind][0].key)
		_, err := v.Verify(token, room, user)
		require.NoError(t, err)
		parts := strings.Split(token, ".")
		with := func(at int, part string) string {
			changed := slices.Clone(parts)
			changed[at] = part
			return strings.Join(changed, ".")
		}
		signature, err := base64.RawURLEncoding.DecodeString(parts[2])
		require.NoError(t, err)
		flipped := func(at int) string {
			changed := slices.Clone(signature)
			changed[at] ^= 1
			return with(2, base64.RawURLEncoding.EncodeToString(changed))
		}
		zeros := base64.RawURLEncoding.EncodeToString(make([]byte, len(signature)))
		for reason, forged := range map[string]string{
			// The claims are changed to those of another user, under the old signature.
			"payload changed": with(1, encoded(strings.Replace(saying(""), "Ada", "Eve", 1))),
			"room changed":    with(1, encoded(strings.Replace(saying(""), "lobby", "*", 1))),
			"header changed":  with(0, encoded(`{"alg":"none"}`)),
			// A signature with one wrong bit, or only a part of it.
			"first bit":        flipped(0),
			"last bit":         flipped(len(signature) - 1),
			"no signature":     with(2, ""),
			"half of it":       with(2, parts[2][:len(parts[2])/2]),
			"longer":           with(2, base64.RawURLEncoding.EncodeToString(append(slices.Clone(signature), 0))),
			"nothing but 0":    with(2, zeros), // Java once accepted r = s = 0 as a signature of everything
			"swapped parts":    parts[1] + "." + parts[0] + "." + parts[2],
			"payload, no sign": parts[0] + "." + parts[1],
		} {
			_, err := v.Verify(forged, room, user)
			var denial *Denial
			require.ErrorAs(t, err, &denial, reason)
			require.Equal(t, Invalid, denial.Reason, kind+": "+reason)
		}
	}
}

// A token has only one form. So a program that accepts each token only once can
// record the text of the tokens that it has seen.
func TestATokenHasOneForm(t *testing.T) {
	v := verifierOf(t, Keys{Secret: secret})
	token := signedBySecret(t, saying(""))
	last := token[len(token)-1]
	for _, other := range []string{
		// Other numbers of parts.
		token + ".", "." + token, token + ".x", token + "..", token + "." + token, ".", "..", "...", strings.Repeat(".", 5000),
		// White space, line ends and garbage around it or inside.
		token + "\n", token + "\r\n", " " + token, token + " ", token + "\x00", token[:9] + "\n" + token[9:], token + "#", "Bearer " + token,
		// Padding, and the other alphabet of base64.
		token + "=", token + "==", token[:len(token)-1] + "+", token[:len(token)-1] + "/",
		// Some bits of the last character mean nothing. They must be 0.
		token[:len(token)-1] + string(last+1),
		// JSON instead of the compact form (RFC 7515, 7.2).
		`{"payload":"` + encoded(saying("")) + `","signatures":[]}`,
		// Bytes that are not even ASCII.
		"…", "\xff\xfe", "é.é.é",
	} {
		_, err := v.Verify(other, room, user)
		requireDenied(t, Invalid, err)
	}
	_, err := v.Verify("", room, user)
	requireDenied(t, Missing, err)
}

func TestATokenThatIsTooLongIsNotRead(t *testing.T) {
	v := verifierOf(t, Keys{Secret: secret})
	fitting := func(size int) string {
		n := size * 3 / 4
		for {
			token := signedBySecret(t, saying(fmt.Sprintf(`,"x":%q`, strings.Repeat("x", n))))
			if len(token) <= size {
				return token
			}
			n--
		}
	}
	_, err := v.Verify(fitting(maxTokenSize), room, user)
	require.NoError(t, err)
	longer := fitting(maxTokenSize + 4)
	require.Greater(t, len(longer), maxTokenSize)
	_, err = v.Verify(longer, room, user)
	requireDenied(t, Invalid, err)
	// The limit on the size also bounds the nesting.
	_, err = v.Verify(signedBySecret(t, saying(`,"x":`+strings.Repeat("[", 5800)+strings.Repeat("]", 5800))), room, user)
	require.NoError(t, err)
}

func TestImpossibleClaimsAreInvalid(t *testing.T) {
	v := verifierOf(t, Keys{Secret: secret})
	exp := time.Now().Add(time.Hour).Unix()
	of := func(members string) string { return fmt.Sprintf(`{%s,"exp":%d}`, members, exp) }
	for _, payload := range []string{
		// A token without exp would be valid forever.
		`{"sub":"Ada","room":"lobby"}`, until("null"),
		// An exp that only some libraries can read, or that is not a time.
		until(fmt.Sprintf("%q", fmt.Sprint(exp))), until(`"tomorrow"`), until("true"), until("[]"), until("{}"), until(`""`),
		until("1e300"), until("1e999"), until("-1e300"), until("-1"), until("9223372036854775808"), until("253402300800"), until("NaN"), until("Infinity"),
		// The same for nbf and iat.
		saying(`,"nbf":"0"`), saying(`,"nbf":null`), saying(`,"nbf":-1`), saying(`,"nbf":1e300`), saying(`,"iat":"0"`), saying(`,"iat":[]`), saying(`,"iat":1e300`),
		// Half a surrogate pair: two texts that differ would be read as one.
		of(`"sub":"Ada\ud83d","room":"lobby"`), of(`"sub":"Ada","room":"lobby\udc00"`), of(`"sub":"Ada","room":"\ud83d*"`), saying(`,"can":["chat\ud83d"]`),
		// An empty or impossible user or room.
		of(`"room":"lobby"`), of(`"sub":"","room":"lobby"`), of(`"sub":null,"room":"lobby"`), of(`"sub":1,"room":"lobby"`), of(`"sub":["Ada"],"room":"lobby"`),
		of(`"sub":"Ada"`), of(`"sub":"Ada","room":""`), of(`"sub":"Ada","room":null`), of(`"sub":"Ada","room":["lobby"]`), of(`"sub":"Ada","room":true`), of(`"sub":"Ada","room":{"$ne":""}`),
		// Limits that are not positive integers.
		saying(`,"max":0`), saying(`,"max":-1`), saying(`,"max":1.5`), saying(`,"max":"4"`), saying(`,"max":null`), saying(`,"max":[4]`), saying(`,"max":1e3`), saying(`,"max":18446744073709551617`),
		// Unknown capabilities, and something that is not a list.
		saying(`,"can":"chat"`), saying(`,"can":"signal chat"`), saying(`,"can":null`), saying(`,"can":[]`), saying(`,"can":["Chat"]`), saying(`,"can":["chat","admin"]`),
		saying(`,"can":[1]`), saying(`,"can":[null]`), saying(`,"can":[["chat"]]`), saying(`,"can":{"chat":true}`), saying(`,"can":7`), saying(`,"can":["*"]`), saying(`,"can":[""]`),
		// Two claims with one name: one reader takes the first, another the last.
		saying(`,"sub":"Ada"`), saying(`,"room":"*"`), saying(`,"exp":9999999999`), saying(`,"\u0073ub":"Ada"`), saying(`,"x":1,"x":1`), saying(`,"x":{"y":1,"y":2}`),
		// Anything that is not an object, or not JSON.
		``, `null`, `[]`, `"Ada"`, `1`, `{`, `{}`, saying("") + "x", saying("") + saying(""), "\xef\xbb\xbf" + saying(""), saying(`,"x":"` + "\xff" + `"`), saying(`,`),
	} {
		_, err := v.Verify(signedBySecret(t, payload), room, user)
		var denial *Denial
		require.ErrorAs(t, err, &denial, payload)
		require.Equal(t, Invalid, denial.Reason, payload)
	}
}

// The claim at fault is named, with what is wrong, and nothing of its value but a time.
func TestTheClaimAtFaultIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // the clock shows 2000-01-01T00:00:00Z
		const demanded = "canary"
		v := verifierWith(t, Options{Keys: Keys{Secret: secret}, Audiences: []string{demanded}, Issuers: []string{demanded}})
		now := time.Now().Unix()
		with := func(members string) string {
			return fmt.Sprintf(`{"sub":"Ada","room":"lobby","exp":%d,"aud":"canary","iss":"canary"%s}`, now+3600, members)
		}
		without := func(claim string) string {
			return regexp.MustCompile(`"`+claim+`":("[^"]*"|\d+),`).ReplaceAllString(with(""), "")
		}
		instead := func(claim, value string) string {
			return strings.Replace(without(claim), "{", `{"`+claim+`":`+value+`,`, 1)
		}
		const clock = ", and the server's clock shows 2000-01-01T00:00:00Z"
		for _, c := range []struct {
			payload string
			reason  Reason
			fault   string
		}{
			{instead("exp", fmt.Sprint((now+3600)*1000)), Invalid, "“exp” must be a number: seconds since 1970, and seems to be in milliseconds"},
			{instead("exp", fmt.Sprint((now+3600)*1000000)), Invalid, "“exp” must be a number: seconds since 1970"}, // microseconds
			{instead("exp", fmt.Sprintf("%q", fmt.Sprint(now+3600))), Invalid, "“exp” must be a number: seconds since 1970"},
			{instead("exp", `"2000-01-01T01:00:00Z"`), Invalid, "“exp” must be a number: seconds since 1970"},
			{instead("exp", "null"), Invalid, "“exp” must be a number: seconds since 1970"},
			{without("exp"), Invalid, "“exp” is missing, and must be a number: seconds since 1970"},
			{instead("exp", "3600"), Expired, "“exp” is 1970-01-01T01:00:00Z" + clock}, // how long, instead of until when
			{instead("exp", fmt.Sprint(now-60)), Expired, "“exp” is 1999-12-31T23:59:00Z" + clock},
			{with(fmt.Sprintf(`,"nbf":%d`, now+31)), NotYetValid, "“nbf” is 2000-01-01T00:00:31Z" + clock},
			{with(fmt.Sprintf(`,"iat":%d`, now+31)), NotYetValid, "“iat” is 2000-01-01T00:00:31Z" + clock},
			{with(fmt.Sprintf(`,"nbf":%d`, now*1000)), Invalid, "“nbf” must be a number: seconds since 1970, and seems to be in milliseconds"},
			{with(fmt.Sprintf(`,"iat":%d`, now*1000)), Invalid, "“iat” must be a number: seconds since 1970, and seems to be in milliseconds"},
			{with(`,"iat":"canary"`), Invalid, "“iat” must be a number: seconds since 1970"},
			{without("sub"), Invalid, "“sub” is missing, and must be text that is not empty"},
			{instead("sub", "7"), Invalid, "“sub” must be text that is not empty"},
			{instead("sub", `"canary\ud83d"`), Invalid, "“sub” must be text that is not empty, and has half of a surrogate pair"},
			{instead("room", `"\udc00canary"`), Invalid, "“room” must be text that is not empty, and has half of a surrogate pair"},
			{instead("sub", `["canary"]`), Invalid, "“sub” must be text that is not empty"},
			{instead("sub", `"canary"`), OtherUser, "“sub” is not the userId of this event"},
			{without("room"), Invalid, "“room” is missing, and must be text that is not empty"},
			{instead("room", `["canary"]`), Invalid, "“room” must be text that is not empty"},
			{instead("room", `"canary"`), OtherRoom, "“room” is not for the roomId of this event"},
			{with(`,"max":"4"`), Invalid, "“max” must be a whole number from 1"},
			{with(`,"max":0`), Invalid, "“max” must be a whole number from 1"},
			{with(`,"can":"chat"`), Invalid, "“can” must be a list of one or more of “signal”, “chat” and “observe”"},
			{with(`,"can":["canary"]`), Invalid, "“can” must be a list of one or more of “signal”, “chat” and “observe”"},
			{with(`,"can":[{"canary":1}]`), Invalid, "“can” must be a list of one or more of “signal”, “chat” and “observe”"},
			{without("aud"), OtherAudience, "“aud” must contain an audience of this server"},
			{strings.Replace(with(""), `"iss":"canary"`, `"iss":"other"`, 1), OtherIssuer, "“iss” must be an issuer that this server accepts"},
			{with(`,"sub":"canary"`), Invalid, "“sub” is there twice"},
			{with(`,"canary":1,"canary":2`), Invalid, "a member is there twice"},
			{with(`,"canary":{"canary":1,"canary":2}`), Invalid, "a member is there twice"},
			{`["canary"]`, Invalid, "the payload is not a JSON object in UTF-8"},
			{`null`, Invalid, "the payload is not a JSON object in UTF-8"},
			{with(`,"x":"` + "\xff" + `"`), Invalid, "the payload is not a JSON object in UTF-8"},
		} {
			_, err := v.Verify(signedBySecret(t, c.payload), room, user)
			var denial *Denial
			require.ErrorAs(t, err, &denial, c.payload)
			require.Equal(t, Denial{c.reason, c.fault}, *denial, c.payload)
			require.True(t, strings.HasSuffix(denial.Sentence(), ": "+c.fault+"."), denial.Sentence())
			require.NotContains(t, err.Error()+denial.Sentence(), "canary")

			// Without a valid signature, all of them get the same answer.
			_, err = v.Verify(signed(t, jwt.SigningMethodHS256, otherSecret, hsHead, c.payload), room, user)
			require.Equal(t, &Denial{Reason: Invalid}, err)
			require.Equal(t, "The access token is not valid.", err.(*Denial).Sentence())
		}
	})
}

func TestReasonsAreGivenOnlyForSignedTokens(t *testing.T) {
	v := verifierOf(t, Keys{Secret: secret})
	past, future := time.Now().Add(-time.Hour).Unix(), time.Now().Add(time.Hour).Unix()
	for _, c := range []struct {
		payload string
		reason  Reason
	}{
		{until(fmt.Sprint(past)), Expired},
		{until("0"), Expired},
		{saying(fmt.Sprintf(`,"nbf":%d`, future)), NotYetValid},
		{saying(fmt.Sprintf(`,"iat":%d`, future)), NotYetValid},
		{fmt.Sprintf(`{"sub":"Ada","room":"other","exp":%d}`, future), OtherRoom},
		{fmt.Sprintf(`{"sub":"Eve","room":"lobby","exp":%d}`, future), OtherUser},
		{fmt.Sprintf(`{"sub":"Eve","room":"other","exp":%d}`, future), OtherRoom},
		{fmt.Sprintf(`{"sub":"Eve","room":"other","exp":%d}`, past), Expired},
	} {
		_, err := v.Verify(signedBySecret(t, c.payload), room, user)
		requireDenied(t, c.reason, err)
		_, err = v.Verify(signed(t, jwt.SigningMethodHS256, otherSecret, hsHead, c.payload), room, user)
		requireDenied(t, Invalid, err)
	}
}

var otherSecret = []byte("of thirty-two bytes, or some less")

func TestATokensHeaderCannotChooseItsKey(t *testing.T) {
	v := verifierOf(t, Keys{PublicKey: edKey.Public()})
	jwk := fmt.Sprintf(`{"kty":"OKP","crv":"Ed25519","x":%q}`, base64.RawURLEncoding.EncodeToString(otherKey[32:]))
	for _, header := range []string{
		// A token that carries the key for its own signature.
		`{"alg":"EdDSA","jwk":` + jwk + `}`, `{"alg":"EdDSA","x5c":["MIIB"]}`,
		// A token that names a URL for its key. The verifier does not ask there.
		`{"alg":"EdDSA","jku":"http://127.0.0.1:1/jwks"}`, `{"alg":"EdDSA","x5u":"http://127.0.0.1:1/cert"}`,
		// Key IDs that some verifiers took for files, queries or commands.
		`{"alg":"EdDSA","kid":"../../../../dev/null"}`, `{"alg":"EdDSA","kid":"/proc/sys/kernel/randomize_va_space"}`,
		`{"alg":"EdDSA","kid":"x' UNION SELECT 'key"}`, `{"alg":"EdDSA","kid":"|id"}`, `{"alg":"EdDSA","kid":{"a":1}}`,
	} {
		_, err := v.Verify(signed(t, jwt.SigningMethodEdDSA, otherKey, header, saying("")), room, user)
		requireDenied(t, Invalid, err)
		// With these headers a correctly signed token is still accepted.
		_, err = v.Verify(signed(t, jwt.SigningMethodEdDSA, edKey, header, saying("")), room, user)
		require.NoError(t, err, header)
	}
	// A token with extensions that must be understood is refused (RFC 7515, 4.1.11).
	// Otherwise a payload that is not encoded (RFC 7797) would be decoded.
	for _, header := range []string{
		`{"alg":"EdDSA","crit":["b64"],"b64":false}`, `{"alg":"EdDSA","crit":["exp"],"exp":0}`, `{"alg":"EdDSA","crit":[]}`, `{"alg":"EdDSA","crit":null}`,
	} {
		_, err := v.Verify(signed(t, jwt.SigningMethodEdDSA, edKey, header, saying("")), room, user)
		requireDenied(t, Invalid, err)
	}
}

// Each ECDSA signature has a second form, (r, n-s), which anybody can compute. It signs
// the same token, and so grants the same.
func TestTheOtherSignatureOfECDSAGrantsNothingMore(t *testing.T) {
	v := verifierOf(t, Keys{PublicKey: ecKey().Public()})
	token := signed(t, jwt.SigningMethodES256, ecKey(), `{"alg":"ES256"}`, saying(`,"can":["observe"]`))
	text, last, _ := strings.Cut(token[strings.Index(token, ".")+1:], ".")
	signature, err := base64.RawURLEncoding.DecodeString(last)
	require.NoError(t, err)
	s := new(big.Int).Sub(ecKey().Params().N, new(big.Int).SetBytes(signature[32:]))
	s.FillBytes(signature[32:])
	granted, err := v.Verify(encoded(`{"alg":"ES256"}`)+"."+text+"."+base64.RawURLEncoding.EncodeToString(signature), room, user)
	require.NoError(t, err)
	require.Equal(t, Observe, granted.Can)
}

func TestADenialRevealsNothingOfTheTokenOrTheKeys(t *testing.T) {
	v := verifierOf(t, Keys{Secret: secret})
	for _, token := range []string{
		signed(t, jwt.SigningMethodHS256, otherSecret, `{"alg":"HS256","kid":"canary"}`, saying(`,"x":"canary"`)),
		signedBySecret(t, `{"sub":"canary","room":"canary","exp":9999999999}`), "canary", encoded(`{"alg":"canary"}`) + ".e30.e30",
		encoded(`canary`) + ".e30.e30",
	} {
		_, err := v.Verify(token, room, user)
		var denial *Denial
		require.ErrorAs(t, err, &denial)
		for _, told := range []string{fmt.Sprintf("%+v %#v", err, denial), denial.Error(), denial.Sentence()} {
			require.NotContains(t, told, "canary")
			require.NotContains(t, told, string(secret))
			require.NotContains(t, told, token)
		}
	}
}
