package decode

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Libraries write an index as text, or a text that they do not have as null.
func TestTheWrongMemberOfACandidateIsNamed(t *testing.T) {
	for candidate, ending := range map[string]string{
		`{"candidate":"c","sdpMLineIndex":"0"}`:       "or null; its sdpMLineIndex is wrong",
		`{"candidate":"c","sdpMLineIndex":65536}`:     "or null; its sdpMLineIndex is wrong",
		`{"candidate":null,"sdpMid":"0"}`:             "or null; its candidate is wrong",
		`{"candidate":"c","candidate":7}`:             "or null; its candidate is wrong",
		`{"sdpMid":0}`:                                "or null; its sdpMid is wrong",
		`{"usernameFragment":[]}`:                     "or null; its usernameFragment is wrong",
		`"c"`:                                         "or null",
		`[]`:                                          "or null",
		`{"candidate":7,"candidate":"c","sdpMid":""}`: "",
		`{"label":"0","id":7}`:                        "",
		`null`:                                        "",
	} {
		says := wrongWithCandidate([]byte(candidate))
		require.Equal(t, ending == "", says == "", candidate)
		require.True(t, strings.HasSuffix(says, ending), says)
	}
}
