package client_test

import (
	"reflect"
	"runtime"
	"strings"
	"testing"

	"signaling-server/httpapi/httpapitest"
)

// The streams of all tests go over parked connections. The streams of these tests go over
// the engine as well.
func TestStreamsGoOverTheEngineAsWell(t *testing.T) {
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
			httpapitest.OverEngine(t)
			test(t)
		})
	}
}
