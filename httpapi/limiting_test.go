package httpapi

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"signaling-server/limits"
)

// A refusal without a sentence would not say which limit was exceeded.
func TestEachLimitHasASentenceForClients(t *testing.T) {
	for _, name := range limits.Names() {
		assert.NotEmpty(t, exceededSentences[name], name)
	}
}

// The metrics count each refusal by the name of its limit. Without a counter for the name
// the first refusal would panic.
func TestEachLimitOfARefusalIsCounted(t *testing.T) {
	for _, r := range refusals {
		if r.limit != "" {
			assert.Contains(t, limitNames(), r.limit, r.err)
		}
	}
}
