package rooms

import (
	"bytes"
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// written writes a roster as room-joined does, and returns what its receiver reads.
func written(t require.TestingT, r roster) (socketIDs []string, away []bool) {
	data := &roomJoinedData{[]byte(`{"users":[`), r, []byte("]}")}
	var text bytes.Buffer
	n, err := data.WriteTo(&text)
	require.NoError(t, err)
	require.EqualValues(t, text.Len(), n)
	require.Equal(t, text.Len(), data.Len(), "Len agrees with what is written")
	var told struct {
		Users []struct {
			SocketID string
			Away     bool
		}
	}
	require.NoError(t, json.Unmarshal(text.Bytes(), &told))
	for _, u := range told.Users {
		socketIDs, away = append(socketIDs, u.SocketID), append(away, u.Away)
	}
	return socketIDs, away
}

func TestARosterAgreesWithAListAndOldRostersNeverChange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var r roster
		var members []*member
		away := make(map[*member]bool)
		type version struct {
			roster roster
			ids    []string
			away   []bool
		}
		var before []version
		for n := range rapid.IntRange(1, 300).Draw(t, "changes") {
			change := rapid.IntRange(0, 5).Draw(t, "change")
			if change > 2 || len(members) == 0 {
				m := &member{socketID: fmt.Sprint("s", n)}
				m.entry, m.metadata = newEntry("u", m.socketID, json.RawMessage(`{"x":1}`))
				r, members = r.with(m), append(members, m)
				continue
			}
			i := rapid.IntRange(0, len(members)-1).Draw(t, "who")
			if change == 0 {
				away[members[i]] = !away[members[i]]
				r = r.marked(members[i], away[members[i]])
				continue
			}
			r = r.without(members[i])
			members = slices.Delete(members, i, i+1)
			ids, isAway := written(t, r)
			before = append(before, version{r, ids, isAway})
		}
		ids, isAway := written(t, r)
		require.Equal(t, len(members), r.members)
		require.Len(t, ids, len(members))
		for i, m := range members {
			require.Equal(t, m.socketID, ids[i])
			require.Equal(t, away[m], isAway[i])
		}
		var fresh roster
		for _, m := range members {
			fresh = fresh.with(m).marked(m, away[m])
		}
		require.Equal(t, (&roomJoinedData{users: fresh}).Held(), (&roomJoinedData{users: r}).Held(), "whatever happened before")
		require.LessOrEqual(t, len(r.chunks), 1+maxChunks(r.members))
		for _, v := range before {
			ids, isAway := written(t, v.roster)
			require.Equal(t, v.ids, ids)
			require.Equal(t, v.away, isAway)
		}
	})
}

// A room-joined that waits takes at most 2 KiB for a thousand members, however large
// the members are.
func TestAWaitingRosterTakesLittleBesideTheMembers(t *testing.T) {
	var r roster
	metadata := json.RawMessage(`{"x":"` + string(bytes.Repeat([]byte("x"), 4000)) + `"}`)
	for n := range 1000 {
		m := &member{socketID: fmt.Sprint(n)}
		m.entry, _ = newEntry("u", m.socketID, metadata)
		r = r.with(m)
	}
	data := &roomJoinedData{[]byte(`{"users":[`), r, []byte("]}")}
	require.Greater(t, data.Len(), 4_000_000)
	require.Less(t, data.Held(), 2048)

	const changes = 2000
	var kept []roster
	bytesBefore := heap()
	for n := range changes {
		r = r.marked(r.chunks[n%len(r.chunks)][0].member, n%64 < 32)
		kept = append(kept, r)
	}
	perVersion := (heap() - bytesBefore) / changes
	require.Less(t, perVersion, 2048, "bytes for each of many versions of a roster")
	require.Len(t, kept, changes)
}

// heap returns how many bytes live on the heap.
func heap() int {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int(stats.HeapAlloc)
}
