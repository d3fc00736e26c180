package limits_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/limits"
)

func TestOneNetworkHasAShareOfThePlaces(t *testing.T) {
	places := limits.NewPlaces(3, 2, limits.SilencesInAll, limits.SilencesPerAddress)
	take := func() func() {
		release, err := places.Take(here)
		require.NoError(t, err)
		return release
	}
	first, second := take(), take()
	_, err := places.Take(here)
	require.Equal(t, limits.SilencesPerAddress, exceeded(t, err).Limit)
	others, err := places.Take(there)
	require.NoError(t, err)
	_, err = places.Take(there)
	require.Equal(t, limits.SilencesInAll, exceeded(t, err).Limit)

	first()
	take()
	second()
	others()
	take()
}

func TestMonitoringCostsWhatItAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limits.New(limits.Options{MonitoringPerAddress: 20})
		for range 5 {
			require.NoError(t, l.Network(here).Monitor(20))
		}
		e := exceeded(t, l.Network(here).Monitor(1))
		require.Equal(t, limits.MonitoringPerAddress, e.Limit)
		require.NoError(t, l.Network(there).Monitor(1))
		time.Sleep(time.Second)
		require.NoError(t, l.Network(here).Monitor(20))

		time.Sleep(time.Minute)
		require.NoError(t, l.Network(here).Monitor(10_000), "a full bucket pays for any answer")
		exceeded(t, l.Network(here).Monitor(1))
	})
}
