package operators_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signaling-server/httpapi/operators"
)

func TestOperatorsAreKnownByTheirTokens(t *testing.T) {
	billing, billingLine, err := operators.Issue("billing", []string{"read", "send"})
	require.NoError(t, err)
	support, supportLine, err := operators.Issue("support", []string{"sockets"})
	require.NoError(t, err)
	require.NotContains(t, billingLine, billing)
	require.NotEqual(t, billing, support)

	for _, text := range []string{
		billingLine + "\n" + supportLine,
		"# who may do what\r\n\r\n  " + billingLine + "\r\n" + supportLine + "\r\n",
		billingLine + "; " + supportLine,
	} {
		others, err := operators.Parse(text)
		require.NoError(t, err)
		list := operators.NewList("the token of the master", others)
		require.False(t, list.IsEmpty())
		for token, may := range map[string]string{
			"the token of the master": "admin: read send rooms sockets revoke webhooks",
			billing:                   "billing: read send",
			support:                   "support: sockets",
		} {
			o, isKnown := list.Find(token)
			require.True(t, isKnown)
			got := o.Name + ":"
			for _, scope := range operators.Scopes() {
				if o.May(scope) {
					got += " " + string(scope)
				}
			}
			require.Equal(t, may, got)
		}
		for _, token := range []string{"", "wrong", billing + "x", strings.ToLower(billing), billingLine} {
			_, isKnown := list.Find(token)
			require.False(t, isKnown, token)
		}
	}
}

func TestNobodyIsAnOperatorOfAnEmptyList(t *testing.T) {
	list := operators.NewList("", nil)
	require.True(t, list.IsEmpty())
	_, isKnown := list.Find("")
	require.False(t, isKnown)
}

func TestWhatIsNotAnOperatorIsRefused(t *testing.T) {
	hash := strings.Repeat("0123456789abcdef", 4)
	_, err := operators.Parse("a read sha256:" + hash)
	require.NoError(t, err)
	for text, says := range map[string]string{
		"a read":                                                          "a line has a name",
		"a read " + hash:                                                  "a line has a name",
		"a read sha256:" + hash[1:]:                                       "a line has a name",
		"a read sha256:" + hash + "00":                                    "a line has a name",
		"a read sha512:" + hash:                                           "a line has a name",
		"a read sha256:" + hash + " more":                                 "a line has a name",
		"a write sha256:" + hash:                                          "something is not a scope: the scopes are [read send rooms sockets revoke webhooks]",
		"a read, sha256:" + hash:                                          "something is not a scope",
		"admin read sha256:" + hash:                                       "belongs to ADMIN_TOKEN",
		"é read sha256:" + hash:                                           "a name has up to 64",
		strings.Repeat("a", 65) + " read sha256:" + hash:                  "a name has up to 64",
		"a read sha256:" + hash + "\na send sha256:" + hash:               `two operators have the name "a"`,
		"a read sha256:" + hash + "\nb send sha256:" + hash:               `"a" and "b" have the same token`,
		"a read sha256:" + hash + "; # b read sha256:" + hash + "; c sha": "operator 3",
	} {
		_, err := operators.Parse(text)
		require.ErrorContains(t, err, says, text)
		require.NotContains(t, fmt.Sprint(err), hash)
	}
}

func TestATokenIsIssuedOnlyToAnOperatorThatCanBe(t *testing.T) {
	for _, wrong := range [][]string{{"", "read"}, {"two words", "read"}, {"admin", "read"}, {"a"}, {"a", "everything"}, {"a;b", "read"}, {"#a", "read"}} {
		_, _, err := operators.Issue(wrong[0], wrong[1:])
		require.Error(t, err, wrong)
	}
	for _, scopes := range [][]string{{""}, {"read", ""}, {"read send"}, {"everything"}} {
		_, _, err := operators.Issue("a", scopes)
		require.ErrorContains(t, err, "the scopes are [read send", scopes)
	}
}
