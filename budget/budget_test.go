package budget_test

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"signaling-server/budget"
)

func TestTakingStopsAtTheLimitAndChargingSaysThatItWasPassed(t *testing.T) {
	b := budget.New(100)
	require.True(t, b.Take(60))
	require.False(t, b.Take(41), "it does not fit")
	require.True(t, b.Take(40))
	require.True(t, b.IsFull())
	require.EqualValues(t, 100, b.Used())
	require.Empty(t, b.Exceeded())

	b.Charge(1)
	b.Charge(1)
	require.Len(t, b.Exceeded(), 1, "one signal is enough")
	<-b.Exceeded()
	b.Charge(-102)
	require.Zero(t, b.Used())
	require.False(t, b.IsFull())
}

func TestTheNilBudgetHasNoBound(t *testing.T) {
	var b *budget.Budget
	b.Charge(1 << 30)
	require.True(t, b.Take(1<<30))
	require.False(t, b.IsFull())
	require.Zero(t, b.Used())
	require.Zero(t, b.Limit())
	require.Nil(t, b.Exceeded())
}

func TestWhatManyHoldersTakeAtOnceNeverExceedsTheLimit(t *testing.T) {
	b := budget.New(1000)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 1000 {
				if b.Take(7) {
					b.Charge(-7)
				}
			}
		})
	}
	all.Wait()
	require.Zero(t, b.Used())
}
