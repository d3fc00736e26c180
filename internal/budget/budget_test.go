package budget_test

import (
	"net/netip"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"signaling-server/internal/budget"
)

func TestTakeStopsAtTheLimitAndChargeSignalsThatItIsExceeded(t *testing.T) {
	b := budget.New(100)
	require.True(t, b.Take(60))
	require.False(t, b.Take(41), "41 bytes do not fit")
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

// No network can use up the budget alone.
func TestOneNetworkHasHalfOfTheBudget(t *testing.T) {
	here, there := netip.MustParsePrefix("192.0.2.1/32"), netip.MustParsePrefix("192.0.2.2/32")
	b := budget.New(100)
	require.True(t, b.TakeFor(here, 40))
	require.True(t, b.HasShare(here))
	require.False(t, b.TakeFor(here, 11))
	require.True(t, b.TakeFor(there, 50))
	b.ChargeFor(here, 10)
	require.False(t, b.HasShare(here))
	require.EqualValues(t, 100, b.Used())
	require.False(t, b.TakeFor(netip.Prefix{}, 1), "the limit holds for all networks together")
	b.ChargeFor(here, -50)
	b.ChargeFor(there, -50)
	require.True(t, b.HasShare(here))
	require.Zero(t, b.Used())
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
