package httpapi_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"reflect"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/httpapi/httpapitest"
	"signaling-server/sse"
)

// The streams of all tests are parked. Those of these tests are held by their handlers as well.
func TestStreamsAreHeldAsWell(t *testing.T) {
	for _, test := range []func(*testing.T){
		TestAPlainEventSourceCanOpenAndResume,
		TestAStreamResumesByHeaderQueryOrToken,
		TestAFailedResumeOpensANewSocketAndIsNotAnError,
		TestASecondStreamOfTheSameSocketReplacesTheFirst,
		TestAtCapacityAnEventSourceGetsAnEventAndOtherClientsAProblem,
		TestAPeerThatGoesSilentlyIsReportedWhenItsResumeWindowEnds,
		TestAnIdleStreamGetsHeartbeats,
		TestAThousandStreamsAreDrained,
		TestAStreamOutlivesTheServersReadTimeout,
		TestAnAnswerDoesNotWaitForABodyThatDoesNotCome,
		TestALargeRoomCanBeJoinedAndResumed,

		TestAClientBehindAProxyThatKeepsItsStreamIsReported,
		TestARefusedRequestIsASignOfLife,
		TestAHeartbeatHasNoMembersAndNoAnswerInTheStream,

		TestTrapResumeBeforeAnyEventWasReceived,
		TestTrapResumeTwiceInARow,
		TestTrapTheOldStreamsCleanupComesAfterTheNewStreamIsLive,
		TestTrapASecondTabWithACopiedToken,
		TestTrapACursorFromTheFuture,
		TestTrapAnIDOfAnotherSocket,
		TestTrapSIGTERMInTheMiddleOfABatch,
		TestTrapARoomsLastTwoMembersDropAtOnce,

		TestTwoPeersTradeOffersAnswersAndCandidates,
		TestDisconnectIsReportedAtOnceAndEndsTheSocket,
		TestABatchMayEndItsOwnSocket,
		TestTheStreamsAndPollsUnderWayOfAnAddressAreLimited,
		TestAttackAThousandStreamsFromOneAddress,
		TestMetricsCountWhatHappens,
	} {
		t.Run(nameOf(test), func(t *testing.T) {
			httpapitest.WithoutGuard(t)
			test(t)
		})
	}
}

// nameOf returns the name of a function, without its package.
func nameOf(test func(*testing.T)) string {
	name := runtime.FuncForPC(reflect.ValueOf(test).Pointer()).Name()
	return name[strings.LastIndexByte(name, '.')+1:]
}

// A client cannot tell the links apart, except that a parked connection ends with its
// stream.
func TestBothLinksWriteTheSame(t *testing.T) {
	for _, protocol := range []string{"HTTP/1.1", "HTTP/1.0"} {
		t.Run(protocol, func(t *testing.T) {
			var headers []http.Header
			var bodies []string
			for _, link := range []httpapitest.Link{httpapitest.Held, httpapitest.Parked} {
				t.Run(string(link), func(t *testing.T) {
					if link == httpapitest.Held {
						httpapitest.WithoutGuard(t)
					}
					header, body := wholeStream(t, protocol)
					isParked := header.Get("Connection") == "close"
					require.Equal(t, protocol == "HTTP/1.0" || link == httpapitest.Parked && runtime.GOOS == "linux", isParked)
					header.Del("Connection")
					headers, bodies = append(headers, header), append(bodies, body)
				})
			}
			require.Len(t, bodies, 2)
			require.Equal(t, headers[0], headers[1])
			require.Equal(t, bodies[0], bodies[1])
			for _, part := range []string{"event: connected", "event: heartbeat", "event: room-joined", "event: new-message", "event: disconnected", "\nretry: 2000\n\n", "because of noise"} {
				require.Contains(t, bodies[0], part)
			}
		})
	}
}

// changing is what differs from stream to stream: tokens, IDs and times.
var changing = regexp.MustCompile(`[\w-]{22,26}|\d{4}-\d\d-\d\dT[\d:.]+Z`)

// wholeStream returns the header and the body of a stream that ends with a kick, without
// what differs from stream to stream.
func wholeStream(t *testing.T, protocol string) (http.Header, string) {
	s := newServer(t, sse.Options{HeartbeatInterval: time.Hour}, 100)
	connection, err := net.Dial("tcp", s.Listener.Addr().String())
	require.NoError(t, err)
	defer connection.Close()
	require.NoError(t, connection.SetDeadline(time.Now().Add(patience)))
	_, err = fmt.Fprintf(connection, "GET /events %s\r\nHost: localhost\r\nOrigin: https://example.org\r\n\r\n", protocol)
	require.NoError(t, err)
	response, err := http.ReadResponse(bufio.NewReader(connection), nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode)
	require.Equal(t, protocol, response.Proto)
	header := response.Header.Clone()
	header["Transfer-Encoding"] = response.TransferEncoding
	if response.Close {
		header.Set("Connection", "close")
	}
	_, err = http.ParseTime(header.Get("Date"))
	require.NoError(t, err)
	header.Del("Date")

	body := bufio.NewReader(response.Body)
	var text strings.Builder
	readTo := func(part string) {
		for !strings.Contains(text.String(), part) {
			line, err := body.ReadString('\n')
			require.NoError(t, err)
			text.WriteString(line)
		}
	}
	readTo("event: heartbeat")
	socketID := regexp.MustCompile(`"socketId":"([^"]+)"`).FindStringSubmatch(text.String())[1]
	token := regexp.MustCompile(`"token":"([^"]+)"`).FindStringSubmatch(text.String())[1]
	post := func(body string) {
		status, answer := s.post(t, token, body)
		require.Equal(t, http.StatusAccepted, status, answer)
	}
	post(`{"type":"join-room","roomId":"room","userId":"Ada","metadata":{"x":"` + strings.Repeat("é", 1500) + `"}}`)
	readTo("event: room-joined")
	for n := range 3 {
		post(fmt.Sprintf(`{"type":"send-message","message":"number %d"}`, n))
		readTo(fmt.Sprintf("number %d", n))
	}
	require.True(t, s.hub.Kick(socketID, "because of noise"))
	rest, err := io.ReadAll(body)
	require.NoError(t, err)
	text.Write(rest)
	return header, changing.ReplaceAllString(strings.ReplaceAll(text.String(), socketID, "the socket"), "…")
}
