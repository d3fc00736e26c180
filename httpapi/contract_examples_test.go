package httpapi_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"signaling-server/sse"
)

// examplesAreSent sends each example of a request. A developer who copies an example from
// the documentation, and replaces the target, must not be refused.
func examplesAreSent(t *testing.T, w *witness) {
	sent := 0
	for path, item := range w.document.Paths.Map() {
		for method, operation := range item.Operations() {
			if operation.RequestBody == nil {
				continue
			}
			for name, example := range operation.RequestBody.Value.Content["application/json"].Examples {
				t.Run(operation.OperationID+" "+name, func(t *testing.T) {
					sendExample(t, w, method, withExamples(path, operation.Parameters), operation, example.Value.Value)
				})
				sent++
			}
		}
	}
	require.NotZero(t, sent)
}

// sendExample sends an example to bob's room, as alice or as an operator.
func sendExample(t *testing.T, w *witness, method, path string, operation *openapi3.Operation, example any) {
	const room = "standup" // as in the examples
	s := w.newServer(t, sse.Options{}, 100, withAdminToken)
	alice, bob := s.connect(t), s.join(t, room, "bob")
	if typeName(example) != "join-room" {
		alice.send(`{"type":"join-room","roomId":"standup","userId":"alice"}`)
	}
	body, err := json.Marshal(withTarget(example, bob.socketID))
	require.NoError(t, err)
	path = strings.ReplaceAll(path, "pNoFD-ZNEvcDre67DdcBpw", bob.socketID) // bob's socket in the examples
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(string(body)))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+alice.token)
	if isForOperators(operation) {
		r.Header.Set("Authorization", "Bearer "+adminToken)
	}
	status, answer := s.do(t, r)
	require.Equal(t, 2, status/100, "%d %v", status, answer)
	results, _ := answer["results"].([]any)
	for _, result := range results {
		require.Equal(t, map[string]any{"status": 202.0}, result)
	}
	s.join(t, room, "cleo") // cleo's room-joined lists alice as the example describes her
	bob.hearsUntil("pong", func() { bob.send(`{"type":"ping"}`) })
	if typeName(example) != "disconnect" {
		alice.hearsUntil("pong", func() { alice.send(`{"type":"ping"}`) }) // after the event that answers the example
	}
}

// withTarget returns an example in which each target is replaced.
func withTarget(example any, socketID string) any {
	switch example := example.(type) {
	case []any:
		other := make([]any, len(example))
		for i, item := range example {
			other[i] = withTarget(item, socketID)
		}
		return other
	case map[string]any:
		other := make(map[string]any, len(example))
		for name, member := range example {
			if other[name] = withTarget(member, socketID); name == "target" {
				other[name] = socketID
			}
		}
		return other
	}
	return example
}

func isForOperators(operation *openapi3.Operation) bool {
	if operation.Security == nil {
		return false
	}
	for _, requirement := range *operation.Security {
		if _, is := requirement["operatorToken"]; is {
			return true
		}
	}
	return false
}

// hearsUntil calls a function and waits for the event that it causes. It skips all events
// of other types before.
func (p *peer) hearsUntil(kind string, cause func()) {
	p.t.Helper()
	cause()
	for timeout := time.After(patience); ; {
		select {
		case e, open := <-p.events:
			require.True(p.t, open, "the stream ended before %s", kind)
			if e.kind == kind {
				return
			}
		case <-timeout:
			require.FailNow(p.t, "no "+kind)
		}
	}
}
