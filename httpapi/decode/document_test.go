package decode

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signaling-server/httpapi/problem"
)

// What is wrong with the whole body is named before what is wrong with a part of it.
func TestTheWholeBodyIsJudgedFirst(t *testing.T) {
	many := strings.Repeat(`,"x":1`, maxMembers-1)
	arrays := func(depth int) string { return strings.Repeat("[", depth) + strings.Repeat("]", depth) }
	for body, want := range map[string]string{
		`{"type":"ping"` + many + `}`:                                        "x unknown",
		`{"type":"ping"` + many + `,"x":1}`:                                  " max",
		`{"type":"pong"` + many + `,"x":1}`:                                  " max",
		`{"type":7` + many + `}`:                                             "type oneof",
		`{"x":1` + many + `}`:                                                "type required",
		`{"x":1` + many + `,"x":1}`:                                          " max",
		`{"type":"ice-candidate","target":7` + many + `}`:                    " max",
		`{"type":"ice-candidate","target":"t","candidate":null` + many + `}`: " max",
		`{"type":"offer","target":"t","offer":null` + many[:6] + `}`:         "offer type",
		arrays(maxDepth):                                                     " object",
		arrays(maxDepth + 1):                                                 "The JSON is nested more than 100 levels deep.",
		strings.Repeat("[", maxDepth+1):                                      "The JSON is nested more than 100 levels deep.",
		strings.Repeat("[", maxDepth):                                        "The JSON value is incomplete.",
		`[` + strings.Repeat("[],", maxDepth):                                "The JSON value is incomplete.",
		`[` + strings.Repeat("[],", maxDepth) + `]`:                          "At byte 301: invalid character ']' at start of value.",
		`[` + strings.Repeat("[],", maxDepth) + `1]`:                         " object",
	} {
		_, _, err := ClientEvents.Decode([]byte(body))
		var p *problem.Problem
		require.True(t, errors.As(err, &p), body)
		if len(p.Errors) == 0 {
			require.Equal(t, want, p.Detail, body)
			continue
		}
		require.Equal(t, want, p.Errors[0].Field+" "+p.Errors[0].Rule, body)
	}
}
