package main

import (
	"bufio"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestEventsReachTheirTarget(t *testing.T) {
	s := httptest.NewServer(newHub(time.Hour).routes())
	defer s.Close()
	open := func(id string) *bufio.Scanner {
		response, err := s.Client().Get(s.URL + "/events?id=" + id)
		require.NoError(t, err)
		t.Cleanup(func() { _ = response.Body.Close() })
		return bufio.NewScanner(response.Body)
	}
	post := func(query, body string) int {
		response, err := s.Client().Post(s.URL+"/events?"+query, "application/json", strings.NewReader(body))
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		return response.StatusCode
	}
	hears := func(stream *bufio.Scanner, lines ...string) {
		for _, line := range append(lines, "") {
			require.True(t, stream.Scan())
			require.Equal(t, line, stream.Text())
		}
	}
	ada, bob := open("a"), open("b")
	hears(ada, "event: connected", `data: {"socketId":"a"}`)
	hears(bob, "event: connected", `data: {"socketId":"b"}`)
	require.Equal(t, http.StatusNoContent, post("join=r&from=a&user=Ada", ""))
	hears(ada, "event: room-joined", `data: {"roomId":"r","users":[{"userId":"Ada"}]}`)
	require.Equal(t, http.StatusNoContent, post("join=r&from=b&user=Bob", ""))
	hears(ada, "event: user-connected", `data: {"userId":"Bob","socketId":"b"}`)
	hears(bob, "event: room-joined", `data: {"roomId":"r","users":[{"userId":"Ada","socketId":"a"},{"userId":"Bob"}]}`)
	require.Equal(t, http.StatusNoContent, post("to=b&ev=offer", `{"n":1}`))
	hears(bob, "event: offer", `data: {"n":1}`)
	require.Equal(t, http.StatusNotFound, post("to=c&ev=offer", `{}`))
	s.CloseClientConnections()
}

func TestHeartbeatsAreComments(t *testing.T) {
	s := httptest.NewServer(newHub(time.Millisecond).routes())
	defer s.Close()
	response, err := s.Client().Get(s.URL + "/events?id=a")
	require.NoError(t, err)
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() && lines.Text() != ":" {
	}
	require.Equal(t, ":", lines.Text())
	s.CloseClientConnections()
}
