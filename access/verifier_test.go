package access

import (
	"crypto"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"
)

func TestATokenGrantsWhatItSays(t *testing.T) {
	v := verifierOf(t, Keys{Secret: secret})
	for more, want := range map[string]Grant{
		``:                                    {Can: Signal | Chat},
		`,"max":4`:                            {MaxMembers: 4, Can: Signal | Chat},
		`,"can":["observe"]`:                  {Can: Observe},
		`,"can":["signal"],"max":1`:           {MaxMembers: 1, Can: Signal},
		`,"can":["chat","chat"]`:              {Can: Chat},
		`,"can":["chat","observe","signal"]`:  {Can: Signal | Chat | Observe},
		`,"aud":"us","iss":"them","x":[{}]`:   {Can: Signal | Chat},
		`,"SUB":"Eve","Room":"*","CAN":["x"]`: {Can: Signal | Chat},
		`,"jti":"é7"`:                         {Can: Signal | Chat, ID: "é7"},
		`,"jti":7`:                            {Can: Signal | Chat},
		`,"jti":null`:                         {Can: Signal | Chat},
		`,"jti":"` + strings.Repeat("7", 256) + `"`: {Can: Signal | Chat, ID: strings.Repeat("7", 256)},
		`,"jti":"` + strings.Repeat("7", 257) + `"`: {Can: Signal | Chat},
	} {
		payload := saying(more)
		granted, err := v.Verify(signedBySecret(t, payload), room, user)
		require.NoError(t, err, payload)
		require.WithinDuration(t, time.Now().Add(time.Hour), granted.ExpiresAt, time.Minute)
		granted.ExpiresAt = time.Time{}
		require.Equal(t, want, granted, payload)
	}
}

func TestCapabilitiesAreASet(t *testing.T) {
	require.True(t, (Signal | Chat).Has(Chat))
	require.True(t, (Signal | Chat).Has(Signal|Chat))
	require.False(t, Observe.Has(Chat))
	require.False(t, Signal.Has(Signal|Chat))
}

func TestAPublicKeyInPEMChecksTokens(t *testing.T) {
	for _, kind := range []struct {
		method  jwt.SigningMethod
		public  crypto.PublicKey
		private any
	}{
		{jwt.SigningMethodRS256, rsaKey().Public(), rsaKey()},
		{jwt.SigningMethodES256, ecKey().Public(), ecKey()},
		{jwt.SigningMethodES384, p384Key().Public(), p384Key()},
		{jwt.SigningMethodES512, p521Key().Public(), p521Key()},
		{jwt.SigningMethodEdDSA, edKey.Public(), edKey},
	} {
		parsed, err := ParsePublicKey(pemOf(t, kind.public))
		require.NoError(t, err)
		_, err = verifierOf(t, Keys{PublicKey: parsed}).Verify(signedBy(t, kind.method, kind.private), room, user)
		require.NoError(t, err, kind.method.Alg())
	}
}

func TestASecretIsAtLeastAsLongAsTheHash(t *testing.T) {
	for size, accepted := range map[int][]jwt.SigningMethod{
		32: {jwt.SigningMethodHS256}, 47: {jwt.SigningMethodHS256},
		48: {jwt.SigningMethodHS256, jwt.SigningMethodHS384}, 63: {jwt.SigningMethodHS256, jwt.SigningMethodHS384},
		64: {jwt.SigningMethodHS256, jwt.SigningMethodHS384, jwt.SigningMethodHS512},
	} {
		v := verifierOf(t, Keys{Secret: longSecret[:size]})
		for _, method := range []jwt.SigningMethod{jwt.SigningMethodHS256, jwt.SigningMethodHS384, jwt.SigningMethodHS512} {
			_, err := v.Verify(signedBy(t, method, longSecret[:size]), room, user)
			if slices.Contains(accepted, method) {
				require.NoError(t, err)
			} else {
				requireDenied(t, Invalid, err)
			}
		}
	}
}

func TestAnAudienceAndAnIssuerCanBeDemanded(t *testing.T) {
	const ours, theirs = "https://signaling.example.com", "https://issuer.example.com/"
	keys := Keys{Secret: secret}
	for _, c := range []struct {
		further   string
		audiences []string
		issuers   []string
		denied    Reason // "": granted
	}{
		{`,"aud":"` + ours + `"`, []string{ours}, nil, ""},
		{`,"aud":["x","` + ours + `"]`, []string{ours}, nil, ""},
		{`,"aud":["x","` + ours + `"]`, []string{"y", ours}, nil, ""},
		{`,"aud":"` + ours + `/"`, []string{ours}, nil, OtherAudience},
		{`,"aud":"` + strings.ToUpper(ours) + `"`, []string{ours}, nil, OtherAudience},
		{`,"aud":"x ` + ours + `"`, []string{ours}, nil, OtherAudience},
		{`,"aud":["x"]`, []string{ours}, nil, OtherAudience},
		{`,"aud":[]`, []string{ours}, nil, OtherAudience},
		{`,"aud":["` + ours + `",7]`, []string{ours}, nil, OtherAudience},
		{`,"aud":["` + ours + `","\ud83d"]`, []string{ours}, nil, OtherAudience},
		{`,"aud":"\ud83d"`, []string{"\uFFFD"}, nil, OtherAudience},
		{`,"aud":null`, []string{ours}, nil, OtherAudience},
		{`,"aud":""`, []string{ours}, nil, OtherAudience},
		{`,"aud":{"` + ours + `":1}`, []string{ours}, nil, OtherAudience},
		{`,"AUD":"` + ours + `"`, []string{ours}, nil, OtherAudience},
		{``, []string{ours}, nil, OtherAudience},

		{`,"iss":"` + theirs + `"`, nil, []string{theirs}, ""},
		{`,"iss":"` + theirs + `"`, nil, []string{"x", theirs}, ""},
		{`,"iss":"` + strings.TrimSuffix(theirs, "/") + `"`, nil, []string{theirs}, OtherIssuer},
		{`,"iss":"` + theirs + `x"`, nil, []string{theirs}, OtherIssuer},
		{`,"iss":["` + theirs + `"]`, nil, []string{theirs}, OtherIssuer}, // it is one text (RFC 7519, 4.1.1)
		{`,"iss":null`, nil, []string{theirs}, OtherIssuer},
		{`,"iss":"\ud83d"`, nil, []string{"\uFFFD"}, OtherIssuer},
		{`,"iss":""`, nil, []string{theirs}, OtherIssuer},
		{``, nil, []string{theirs}, OtherIssuer},

		{`,"aud":"` + ours + `","iss":"` + theirs + `"`, []string{ours}, []string{theirs}, ""},
		{`,"aud":"x","iss":"` + theirs + `"`, []string{ours}, []string{theirs}, OtherAudience},
		{`,"aud":"x","iss":"x"`, []string{ours}, []string{theirs}, OtherIssuer},
		// What is not demanded is not read.
		{`,"aud":7,"iss":[]`, nil, nil, ""},
		{`,"aud":"\ud83d","iss":"\udc00"`, nil, nil, ""},
	} {
		v := verifierWith(t, Options{Keys: keys, Audiences: c.audiences, Issuers: c.issuers})
		_, err := v.Verify(signedBySecret(t, saying(c.further)), room, user)
		if c.denied == "" {
			require.NoError(t, err, c)
			continue
		}
		requireDenied(t, c.denied, err)
		require.NotContains(t, err.Error(), "example.com")
	}
	for _, o := range []Options{{Keys: keys, Audiences: []string{ours, ""}}, {Keys: keys, Issuers: []string{""}}} {
		_, err := NewVerifier(t.Context(), o)
		require.ErrorIs(t, err, errEmptyDemand)
	}
}

func TestARoomMayBeAPattern(t *testing.T) {
	v := verifierOf(t, Keys{Secret: secret})
	for _, c := range []struct {
		pattern, room string
		matches       bool
	}{
		{"lobby", "lobby", true},
		{"lobby", "lobby2", false},
		{"lobby", "Lobby", false},
		{"lobby", "", false},
		{"team-*", "team-", true},
		{"team-*", "team-1", true},
		{"team-*", "team", false},
		{"team-*", "my-team-1", false},
		{"*", "whatever", true},
		{"a*b", "a*b", true}, // a room's ID may have a “*”
		{"a*b", "axb", false},
		{"a*b*", "a*bc", true},
		{"**", "*x", true},
		{"**", "x", false},
		{"*x", "yx", false},
		{".*", "x", false}, // it is not a regular expression
		{"team-?", "team-1", false},
		{"räume/*", "räume/1", true},
	} {
		token := signedBySecret(t, fmt.Sprintf(`{"sub":"Ada","room":%q,"exp":%d}`, c.pattern, time.Now().Add(time.Hour).Unix()))
		_, err := v.Verify(token, c.room, user)
		if c.matches {
			require.NoError(t, err, c)
		} else {
			requireDenied(t, OtherRoom, err)
		}
	}
}

// Issuers put profiles into their tokens. A name there that was cut in the middle of an
// emoji is not our concern.
func TestAClaimThatNobodyReadsMayHaveHalfASurrogatePair(t *testing.T) {
	v := verifierOf(t, Keys{Secret: secret})
	for _, further := range []string{`,"name":"Ada \ud83d"`, `,"name":"\udc00","groups":["\ud83d",{"\ud83d":"\ud83d\ud83d\ude00"}]`, `,"\ud83d":1`} {
		_, err := v.Verify(signedBySecret(t, saying(further)), room, user)
		require.NoError(t, err, further)
	}
}

func TestATokenIsForOneUser(t *testing.T) {
	v := verifierOf(t, Keys{Secret: secret})
	token := signedBySecret(t, saying(""))
	for _, other := range []string{
		"", "Bob", "ada", "ADA", "Ada ", " Ada", "Ad", "Adaa", "Ada\x00",
		"Аda",                // the Cyrillic А looks the same
		"\uff21\uff44\uff41", // NFKC turns full-width letters into these
		"Ada\u200b",          // a zero-width space is invisible
		"\u202eadA",          // with a right-to-left override it looks the same
		"A\u0308da", "\xffA", // a combining mark, and bytes that are not UTF-8
	} {
		_, err := v.Verify(token, room, other)
		requireDenied(t, OtherUser, err)
	}
	// A name is the same name if JSON escapes a letter of it.
	_, err := v.Verify(signedBySecret(t, strings.Replace(saying(""), "Ada", `\u0041da`, 1)), room, user)
	require.NoError(t, err)
	// A letter with an accent differs from a letter and a combining accent.
	token = signedBySecret(t, strings.Replace(saying(""), "Ada", "\u00c4da", 1))
	_, err = v.Verify(token, room, "A\u0308da")
	requireDenied(t, OtherUser, err)
	_, err = v.Verify(token, room, "\u00c4da")
	require.NoError(t, err)
}

func TestATokenIsValidFromNbfToExp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := verifierOf(t, Keys{Secret: secret})
		in := func(d time.Duration) int64 { return time.Now().Add(d).Unix() }
		hour := signedBySecret(t, saying(""))
		early := signedBySecret(t, saying(fmt.Sprintf(`,"nbf":%d`, in(31*time.Second))))
		ahead := signedBySecret(t, saying(fmt.Sprintf(`,"iat":%d`, in(31*time.Second))))
		skewed := signedBySecret(t, saying(fmt.Sprintf(`,"iat":%d,"nbf":%d`, in(30*time.Second), in(30*time.Second))))
		inFractions := signedBySecret(t, until(fmt.Sprintf("%d.5", in(time.Hour))))
		never := signedBySecret(t, fmt.Sprintf(`{"sub":"Ada","room":"lobby","exp":%d,"nbf":%d}`, in(-time.Minute), in(time.Hour)))

		_, err := v.Verify(early, room, user)
		requireDenied(t, NotYetValid, err)
		_, err = v.Verify(ahead, room, user)
		requireDenied(t, NotYetValid, err)
		_, err = v.Verify(skewed, room, user)
		require.NoError(t, err, "the issuer's clock may be ahead a little")
		_, err = v.Verify(never, room, user)
		requireDenied(t, Expired, err)

		time.Sleep(time.Second)
		for _, token := range []string{early, ahead, hour} {
			_, err = v.Verify(token, room, user)
			require.NoError(t, err)
		}

		time.Sleep(time.Hour - time.Second - time.Millisecond)
		granted, err := v.Verify(hour, room, user)
		require.NoError(t, err)
		require.Equal(t, time.Millisecond, time.Until(granted.ExpiresAt))
		time.Sleep(time.Millisecond)
		_, err = v.Verify(hour, room, user)
		requireDenied(t, Expired, err)
		_, err = v.Verify(hour, "elsewhere", "Eve")
		requireDenied(t, Expired, err)

		granted, err = v.Verify(inFractions, room, user)
		require.NoError(t, err)
		require.Equal(t, 500*time.Millisecond, time.Until(granted.ExpiresAt))
		time.Sleep(500 * time.Millisecond)
		_, err = v.Verify(inFractions, room, user)
		requireDenied(t, Expired, err)
	})
}

func TestManyMayVerifyAtOnce(t *testing.T) {
	v := verifierOf(t, Keys{Secret: secret})
	token := signedBySecret(t, saying(""))
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if _, err := v.Verify(token, room, user); err != nil {
				t.Error(err)
			}
			if _, err := v.Verify(token, "elsewhere", user); err == nil {
				t.Error("granted elsewhere")
			}
		})
	}
	all.Wait()
}
