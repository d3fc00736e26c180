package httpapi_test

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/httpapi/httpapitest"
	"signaling-server/limits"
	"signaling-server/sse"
)

// open opens a socket by a poll that does not wait.
func (s *server) open(t *testing.T, userAgent string) (socketID, token string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/events/poll?wait=0", nil)
	require.NoError(t, err)
	r.Header.Set("User-Agent", userAgent)
	response, err := s.Client().Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	var answer struct {
		Events []struct{ SocketID, Token string }
	}
	require.NoError(t, json.NewDecoder(response.Body).Decode(&answer))
	return answer.Events[0].SocketID, answer.Events[0].Token
}

func (s *server) enter(t *testing.T, token, roomID, userID string) {
	t.Helper()
	body, err := json.Marshal(map[string]string{"type": "join-room", "roomId": roomID, "userId": userID})
	require.NoError(t, err)
	status, problem := s.post(t, token, string(body))
	require.Equal(t, http.StatusAccepted, status, "%v", problem)
}

// patientServer starts a server that keeps sockets without a reader for an hour. It has no
// witness.
func patientServer(t *testing.T, others ...func(*setup)) *server {
	return newServer(t, sse.Options{ResumeWindow: time.Hour, AwayAfter: time.Hour}, 1000, append(others, unheard)...)
}

var nextPage = regexp.MustCompile(`^<(/[^>]+)>; rel="next"$`)

// listed reads a list page by page, and returns the items' IDs. All pages must have the
// same total.
func (s *server) listed(t *testing.T, path, key string) (ids []string, total int) {
	t.Helper()
	list := strings.TrimPrefix(path[:cmp.Or(strings.Index(path, "?")+1, len(path)+1)-1], "/")
	for page := 0; path != ""; page++ {
		require.LessOrEqual(t, page, 1000)
		response, err := s.Client().Get(s.URL + path)
		require.NoError(t, err)
		var answer map[string]any
		require.NoError(t, json.NewDecoder(response.Body).Decode(&answer))
		response.Body.Close()
		told := int(answer["total"+strings.ToUpper(list[:1])+list[1:]].(float64))
		require.True(t, page == 0 || told == total)
		total = told
		for _, item := range answer[list].([]any) {
			ids = append(ids, item.(map[string]any)[key].(string))
		}
		path = ""
		if link := nextPage.FindStringSubmatch(response.Header.Get("Link")); link != nil {
			path = link[1]
		}
	}
	return ids, total
}

// There are more sockets and rooms than the server collects at a time.
func TestAListIsSortedAndCompleteAsAWholeAndInPages(t *testing.T) {
	s := patientServer(t)
	const sockets = 2500
	members := make(map[string][]string) // the user IDs in each room
	for n := range sockets {
		_, token := s.open(t, "test")
		room := fmt.Sprintf("room %d", rand.N(1_000_000)*10)
		if n%10 == 0 {
			room = "large" // so large that it is written in pieces
		}
		user := fmt.Sprintf("user %d", n)
		s.enter(t, token, room, user)
		members[room] = append(members[room], user)
	}
	infos := slices.SortedFunc(func(yield func(sse.Info) bool) {
		for listed := range s.hub.Sockets() {
			if !yield(listed.Info()) {
				return
			}
		}
	}, func(x, y sse.Info) int {
		return cmp.Or(x.ConnectedAt.Compare(y.ConnectedAt), strings.Compare(x.SocketID, y.SocketID))
	})
	var wantSockets, wantRooms []string
	for _, info := range infos {
		wantSockets = append(wantSockets, info.SocketID)
	}
	for room := range members {
		wantRooms = append(wantRooms, room)
	}
	slices.Sort(wantRooms)
	require.Greater(t, len(wantRooms), 2048)

	for _, limit := range []string{"", "limit=1000&", "limit=437&"} {
		for _, search := range []string{"", "q=7", "q=Room+1"} {
			query := "?" + limit + search
			want := slices.DeleteFunc(slices.Clone(wantRooms), func(room string) bool {
				text := room + "\n" + strings.Join(members[room], "\n")
				return search == "q=7" && !strings.Contains(text, "7") && !s.hasMemberWith(t, room, "7") ||
					search == "q=Room+1" && !strings.Contains(text, "room 1")
			})
			got, total := s.listed(t, "/rooms"+query, "roomId")
			require.Equal(t, want, got, query)
			require.Equal(t, len(want), total)
			if search != "" {
				continue
			}
			got, total = s.listed(t, "/connections"+query, "socketId")
			require.Equal(t, wantSockets, got, query)
			require.Equal(t, sockets, total)
		}
	}

	_, large := s.get(t, "/rooms/large")
	var users []string
	for _, user := range large["userList"].([]any) {
		users = append(users, user.(map[string]any)["userId"].(string))
	}
	require.Equal(t, members["large"], users)
	require.EqualValues(t, len(users), large["users"])

	// Cursors in the form of version 1.0.0 are still valid.
	at := infos[1999]
	cursor := base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%020d.%s", at.ConnectedAt.UnixNano(), at.SocketID))
	got, _ := s.listed(t, "/connections?limit=1000&cursor="+cursor, "socketId")
	require.Equal(t, wantSockets[2000:], got)
	got, _ = s.listed(t, "/rooms?limit=1000&cursor="+base64.RawURLEncoding.EncodeToString([]byte(wantRooms[1999])), "roomId")
	require.Equal(t, wantRooms[2000:], got)
	status, problem := s.get(t, "/connections?cursor="+base64.RawURLEncoding.EncodeToString([]byte("no age")))
	require.Equal(t, http.StatusUnprocessableEntity, status)
	require.Equal(t, []string{"cursor cursor"}, fieldErrors(problem))
}

// hasMemberWith reports whether a room has a member whose socket ID contains a text.
func (s *server) hasMemberWith(t *testing.T, roomID, text string) bool {
	_, room := s.get(t, "/rooms/"+url.PathEscape(roomID))
	return slices.ContainsFunc(room["userList"].([]any), func(user any) bool {
		return strings.Contains(strings.ToLower(user.(map[string]any)["socketId"].(string)), text)
	})
}

// Rooms and sockets come and go while the lists are written.
func TestAListThatChangesWhileItIsWrittenStaysConsistent(t *testing.T) {
	s := patientServer(t)
	var tokens []string
	for n := range 300 {
		_, token := s.open(t, "test")
		s.enter(t, token, fmt.Sprintf("room %d", n%100), "user")
		tokens = append(tokens, token)
	}
	stop := make(chan struct{})
	var churning sync.WaitGroup
	for churner := range 2 {
		churning.Go(func() {
			for n := churner; ; n += 2 {
				select {
				case <-stop:
					return
				default:
				}
				token := tokens[n%200]
				s.enter(t, token, fmt.Sprintf("room %d", rand.N(200)), "user")
				if n%3 == 0 {
					_, _ = s.post(t, token, `{"type":"leave-room"}`)
				}
				if n%7 == 0 && 200+n < len(tokens) {
					_, _ = s.post(t, tokens[200+n], `{"type":"disconnect"}`)
				}
			}
		})
	}
	for range 40 {
		for list, key := range map[string]string{"/rooms": "roomId", "/connections": "socketId", "/rooms?limit=30": "roomId", "/connections?limit=30": "socketId"} {
			_, answer := s.get(t, list)
			name, _, _ := strings.Cut(list[1:], "?")
			var ids []string
			for _, item := range answer[name].([]any) {
				object := item.(map[string]any)
				ids = append(ids, object[key].(string))
				if users, isRoom := object["userList"].([]any); isRoom {
					require.EqualValues(t, len(users), object["users"])
					require.NotEmpty(t, users)
				}
			}
			slices.Sort(ids)
			require.Len(t, slices.Compact(ids), len(answer[name].([]any)), "each item is listed once")
		}
	}
	close(stop)
	churning.Wait()
}

// What is there all the time is on one page, once, though others come and go between the pages.
func TestNoPageMissesOrRepeatsWhatIsThereAllTheTime(t *testing.T) {
	s := patientServer(t)
	var sockets, rooms []string
	come := func(n int) (socketID, roomID, token string) {
		socketID, token = s.open(t, "test")
		roomID = fmt.Sprintf("room %d.%d", rand.N(1000), n)
		s.enter(t, token, roomID, "user")
		return socketID, roomID, token
	}
	for n := range 60 {
		socketID, roomID, _ := come(n)
		sockets, rooms = append(sockets, socketID), append(rooms, roomID)
		_, _, token := come(1000 + n)
		_, _ = s.post(t, token, `{"type":"disconnect"}`)
	}
	stop := make(chan struct{})
	var churning sync.WaitGroup
	churning.Go(func() {
		var tokens []string
		for n := 2000; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			_, _, token := come(n)
			if tokens = append(tokens, token); len(tokens) > 20 {
				_, _ = s.post(t, tokens[0], `{"type":"disconnect"}`)
				tokens = tokens[1:]
			}
		}
	})
	for range 20 {
		for key, want := range map[string][]string{"socketId": sockets, "roomId": rooms} {
			list := map[string]string{"socketId": "connections", "roomId": "rooms"}[key]
			var got []string
			for path := "/" + list + "?limit=7"; path != ""; {
				response, err := s.Client().Get(s.URL + path)
				require.NoError(t, err)
				var answer map[string]any
				require.NoError(t, json.NewDecoder(response.Body).Decode(&answer))
				response.Body.Close()
				for _, item := range answer[list].([]any) {
					got = append(got, item.(map[string]any)[key].(string))
				}
				path = ""
				if link := nextPage.FindStringSubmatch(response.Header.Get("Link")); link != nil {
					path = link[1]
				}
			}
			require.Subset(t, got, want)
			once := slices.Compact(slices.Sorted(slices.Values(got)))
			require.Len(t, once, len(got))
		}
	}
	close(stop)
	churning.Wait()
}

// smallBuffers makes the server's send buffers small, as cmd/signaling-server does.
// Otherwise the kernel would take whole answers.
func smallBuffers(u *setup) {
	u.http = func(server *http.Server) {
		server.ConnState = func(connection net.Conn, state http.ConnState) {
			if state == http.StateNew {
				_ = connection.(*net.TCPConn).SetWriteBuffer(4096)
			}
		}
	}
}

// unread sends the same GET over many connections, and reads only the beginning of each
// answer.
func (s *server) unread(t *testing.T, path string, connections int) {
	for range connections {
		connection, err := net.Dial("tcp", s.Listener.Addr().String())
		require.NoError(t, err)
		t.Cleanup(func() { connection.Close() })
		require.NoError(t, connection.(*net.TCPConn).SetReadBuffer(4096))
		fmt.Fprintf(connection, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path)
		_, err = io.ReadFull(connection, make([]byte, 100))
		require.NoError(t, err)
	}
}

// Once, each answer had 53 MB, and the server held it until it was read.
func TestAttackListsThatAreNotRead(t *testing.T) {
	httpapitest.WithoutGuard(t) // a guard would hide the connections' type from smallBuffers
	s := patientServer(t, smallBuffers)
	victim, _ := s.open(t, "victim")
	for n := range 600 {
		_, token := s.open(t, strings.Repeat("<", 15_500))
		s.enter(t, token, fmt.Sprintf("%03d", n)+strings.Repeat("<", 125), strings.Repeat("<", 100))
	}
	s.Client().CloseIdleConnections()
	answer := s.raw(t, "GET /connections HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
	require.NotContains(t, answer, strings.Repeat("<", 126), "a long User-Agent is cut")
	require.Greater(t, len(answer), 200_000)
	for _, path := range []string{"/connections", "/rooms"} {
		before := inUse()
		s.unread(t, path, 30)
		held := int64(inUse()) - int64(before)
		t.Logf("30 unread answers of %d KB hold %d KB", len(answer)>>10, held>>10)
		require.Less(t, held, int64(30*120<<10))
	}
	_, found := s.get(t, "/connections?q="+victim)
	require.Len(t, found["connections"], 1)
}

func TestMonitoringIsLimitedPerAddress(t *testing.T) {
	s := newServer(t, sse.Options{}, 100, limitedTo(limits.Options{MonitoringPerAddress: 1}))
	s.join(t, "room", "Ada")
	for _, path := range []string{"/rooms", "/connections?q=a", "/stats", "/metrics", "/rooms/room"} {
		s.ask(t, http.StatusOK, http.MethodGet, path, nil)
	}
	for _, path := range []string{"/rooms", "/connections?q=a", "/stats", "/metrics", "/rooms/room"} {
		var problem map[string]any
		eventually(t, func() bool { // on a busy machine, the bucket refills between two requests
			var status int
			status, problem = s.get(t, path)
			return status == http.StatusTooManyRequests
		})
		require.Equal(t, "/problems/rate-limited", problem["type"])
		require.Equal(t, "Your address uses the monitoring too much. Ask less often, or for pages with ?limit=.", problem["detail"])
	}
	s.ask(t, http.StatusOK, http.MethodGet, "/health", nil)
	s.ask(t, http.StatusNoContent, http.MethodPost, "/rooms/room/lock", nil)
}

// inUse returns the bytes in the process's heap and stacks. Each collection halves the
// stacks that are too large. After a few collections, each stack is as small as an idle
// goroutine allows.
func inUse() uint64 {
	for range 5 {
		runtime.GC()
	}
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapInuse + stats.StackInuse
}
