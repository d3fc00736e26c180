package client_test

import (
	"reflect"
	"runtime"
	"strings"
	"testing"

	"signaling-server/httpapi/httpapitest"
)

// The streams of all tests are parked. Those of these tests are held by their handlers as well.
func TestStreamsAreHeldAsWell(t *testing.T) {
	for _, test := range []func(*testing.T){
		TestTwoClientsSignal,
		TestClosingLeavesTheRoomAtOnce,
		TestAClientEndsWithItsContext,
		TestEventsArriveOnceAndInOrderOverABadNetwork,
		TestAStreamThatFallsSilentIsOpenedAgain,
		TestALostSocketIsReplacedByANewOne,
		TestAKickedClientStaysOut,
		TestErrorsArriveWhileTheServerIsGone,
		TestAClientThatWasReplacedSendsNoHeartbeats,
	} {
		name := runtime.FuncForPC(reflect.ValueOf(test).Pointer()).Name()
		t.Run(name[strings.LastIndexByte(name, '.')+1:], func(t *testing.T) {
			httpapitest.WithoutGuard(t)
			test(t)
		})
	}
}
