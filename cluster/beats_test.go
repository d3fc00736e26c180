package cluster

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/machine"
)

// After a stall of the log the signs of life that a node has given meanwhile come together. The
// others have missed one beat by that, and not one for each.
func TestSignsOfLifeThatComeTogetherCountAsOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := health{peers: make(map[string]*peer)}
		lives := func(name string, after time.Duration) {
			time.Sleep(after)
			record := &machine.Record{Node: name, Commands: []machine.Command{{Node: &machine.NodeCommand{}}}}
			h.note(record, func() []machine.NodeInfo { return []machine.NodeInfo{{Name: "n1"}, {Name: "n2"}} }, time.Second)
		}
		lives("n1", time.Second)
		lives("n1", 20*time.Millisecond)
		lives("n1", time.Second)
		require.Equal(t, 2, h.peers["n2"].missedBeats())
		lives("n1", time.Second)
		require.Equal(t, 3, h.peers["n2"].missedBeats())
	})
}
