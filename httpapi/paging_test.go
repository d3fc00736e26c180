package httpapi

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// A page is a part of the sorted list, even if the items are found in another order.
func TestAPageIsAPartOfTheSortedList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) rank {
			return rank{int64(rapid.IntRange(0, 9).Draw(t, "at")), rapid.StringMatching(`[a-c]{0,3}`).Draw(t, "id")}
		}), 0, 60).Draw(t, "all")
		count := rapid.IntRange(1, 12).Draw(t, "count")
		var after *rank
		if len(all) > 0 && rapid.Bool().Draw(t, "is a later page") {
			after = &all[rapid.IntRange(0, len(all)-1).Draw(t, "after")]
		}

		want := slices.Clone(all)
		slices.SortFunc(want, rank.compare)
		if after != nil {
			want = slices.DeleteFunc(want, func(r rank) bool { return r.compare(*after) <= 0 })
		}
		want = want[:min(count, len(want))]
		page, total := firstAfter(after, slices.Values(all), count)
		require.Equal(t, len(all), total)
		require.True(t, slices.Equal(want, page), "%v instead of %v", page, want)
		require.LessOrEqual(t, cap(page), 2*count)
	})
}

// Version 1.0.0 compared cursors as texts. The ranks that they stand for must have the same
// order.
func TestRanksHaveTheOrderOfTheirCursors(t *testing.T) {
	text := func(r rank) string { return fmt.Sprintf("%020d.%s", r.at, r.id) }
	rapid.Check(t, func(t *rapid.T) {
		draw := rapid.Custom(func(t *rapid.T) rank {
			return rank{rapid.Int64Min(0).Draw(t, "at"), rapid.StringMatching(`[A-Za-z0-9_-]{22}`).Draw(t, "id")}
		})
		one, other := draw.Draw(t, "one"), draw.Draw(t, "other")
		require.Equal(t, text(one) < text(other), one.compare(other) < 0)
		read, ok := parseAge(text(one))
		require.True(t, ok)
		require.Equal(t, one, read)
	})
}
