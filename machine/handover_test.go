package machine_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"signaling-server/machine"
)

// A state that was restored is equal to the first, byte by byte. TestReplicasThatApplyOneLogAreEqual
// shows that equal states go on equally.
func TestAStateThatIsRestoredIsEqual(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := newLog()
		for range rapid.IntRange(0, 100).Draw(t, "records") {
			l.draw(t)
		}
		state := l.replica.AppendState(nil, l.replica.Elapsed())
		next := newReplica()
		elapsed, err := next.RestoreState(state)
		require.NoError(t, err)
		require.Equal(t, l.replica.Elapsed(), elapsed)
		require.Equal(t, state, next.AppendState(nil, elapsed))

		_, err = newReplica().RestoreState(state[:rapid.IntRange(0, len(state)-1).Draw(t, "cut off at")])
		require.Error(t, err)
	})
}

func TestAStateOfAnotherVersionIsNotRestored(t *testing.T) {
	state := newReplica().AppendState(nil, time.Second)
	state[0]++
	_, err := newReplica().RestoreState(state)
	require.ErrorIs(t, err, machine.ErrVersion)
}

// held is a state whose commands are applied when they are let go.
type held struct {
	machine.State
	begun, let chan struct{}
}

func (h held) Post(context.Context, *machine.Post) (machine.Outcomes, bool, error) {
	h.begun <- struct{}{}
	<-h.let
	return "", false, nil
}

func (h held) Operate(context.Context, machine.Operation) (machine.Outcome, error) {
	h.begun <- struct{}{}
	<-h.let
	return machine.Accepted, nil
}

// What was accepted before a gate was closed is in the state, and nothing is accepted later.
func TestAGateWaitsForCommandsUnderWayAndRefusesLaterOnes(t *testing.T) {
	h := held{begun: make(chan struct{}), let: make(chan struct{})}
	gate := &machine.Gate{State: h}
	errs, closed := make(chan error, 2), make(chan struct{})
	go func() { // ends when it is let go
		_, _, err := gate.Post(t.Context(), new(machine.Post))
		errs <- err
	}()
	go func() { // ends when it is let go
		_, err := gate.Operate(t.Context(), machine.Operation{})
		errs <- err
	}()
	<-h.begun
	<-h.begun
	go func() { // ends when both are applied
		gate.Close()
		close(closed)
	}()
	for range 2 {
		require.Never(t, func() bool { return isClosed(closed) }, 10*time.Millisecond, time.Millisecond)
		h.let <- struct{}{}
		require.NoError(t, <-errs)
	}
	<-closed

	_, _, err := gate.Post(t.Context(), new(machine.Post))
	require.ErrorIs(t, err, machine.ErrNotReady)
	_, err = gate.Operate(t.Context(), machine.Operation{})
	require.ErrorIs(t, err, machine.ErrNotReady)
}

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
