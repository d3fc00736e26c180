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
