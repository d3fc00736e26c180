package httpapi

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"signaling-server/limits"
)

// A refusal without a sentence leaves the client to guess.
func TestEachLimitHasASentenceForClients(t *testing.T) {
	for _, name := range limits.Names() {
		assert.NotEmpty(t, exceededSentences[name], name)
	}
}
