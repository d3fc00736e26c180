package webhooks_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/rooms"
	"signaling-server/webhooks"
)

func open(t *testing.T, folder string) *webhooks.Journal {
	t.Helper()
	j, err := webhooks.OpenJournal(folder)
	require.NoError(t, err)
	return j
}

func journalIn(folder string) string { return filepath.Join(folder, "webhooks.journal") }

// A process that starts again sends what the last has not. Those whose process has ended are gone.
func TestWebhooksOutliveTheirProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		folder := filepath.Join(t.TempDir(), "new", "folder")
		backend := new(receiver)
		j := open(t, folder)
		s := start(t, webhooks.Options{URL: address, Transport: backend, Journal: j})
		s.enter("tea", "a")
		s.enter("coffee", "c")
		synctest.Wait()
		require.Len(t, backend.list(), 4)
		time.Sleep(time.Second)
		backend.set(func(received) int { return http.StatusServiceUnavailable })
		s.enter("tea", "b")
		s.Remove("c", "left")
		time.Sleep(time.Second)
		s.stop()
		require.NoError(t, j.Close())
		for _, name := range []string{"webhooks.journal", "webhooks.lock"} {
			info, err := os.Stat(filepath.Join(folder, name))
			require.NoError(t, err)
			require.Equal(t, fs.FileMode(0o600), info.Mode())
		}

		backend.set(nil)
		j = open(t, folder)
		s = start(t, webhooks.Options{URL: address, Transport: backend, Journal: j})
		s.enter("tea", "d")
		time.Sleep(time.Second)
		require.Equal(t, uint64(12), s.sender.Status().Delivered)
		s.stop()
		require.NoError(t, j.Close())
		require.Len(t, backend.list(), 12, "none came twice")
		var tea, coffee []string
		for _, line := range backend.lines() {
			if strings.Contains(line, " tea") {
				tea = append(tea, line)
			} else {
				coffee = append(coffee, line)
			}
		}
		require.Equal(t, []string{
			"room-created tea", "member-joined tea ua a", "member-joined tea ub b",
			"member-left tea ua a server ended", "member-left tea ub b server ended", "room-closed tea   server ended",
			"room-created tea", "member-joined tea ud d",
		}, tea)
		require.Equal(t, []string{"room-created coffee", "member-joined coffee uc c", "member-left coffee uc c left", "room-closed coffee"}, coffee)

		j = open(t, folder)
		defer j.Close()
		require.Equal(t, []rooms.Membership{{RoomID: "tea"}, {RoomID: "tea", UserID: "ud", SocketID: "d"}}, j.Kept().Members)
		require.Equal(t, 12, len(j.Kept().Changes))
		for _, c := range j.Kept().Changes {
			require.True(t, c.IsDelivered)
		}
	})
}

// A process may hand its sockets over to the next. Then they are not gone, whatever is on disk.
func TestAStateThatIsHandedOverWinsOverTheJournal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		folder := t.TempDir()
		backend := new(receiver)
		j := open(t, folder)
		s := start(t, webhooks.Options{URL: address, Transport: backend, Journal: j})
		s.enter("tea", "a")
		time.Sleep(time.Second)
		backend.set(func(received) int { return http.StatusServiceUnavailable })
		s.enter("tea", "b")
		time.Sleep(time.Second)
		s.stop()
		require.NoError(t, j.Close())
		state := s.AppendSnapshot(nil)

		backend.set(nil)
		j = open(t, folder)
		s = start(t, webhooks.Options{URL: address, Transport: backend, Journal: j}, func(of *rooms.Rooms) { require.NoError(t, of.Restore(state)) })
		s.Remove("a", "left")
		time.Sleep(time.Second)
		s.stop()
		require.NoError(t, j.Close())
		require.Equal(t, []string{"room-created tea", "member-joined tea ua a", "member-joined tea ub b", "member-left tea ua a left"}, backend.lines())
		require.Len(t, backend.list(), 4)
		j = open(t, folder)
		defer j.Close()
		require.Equal(t, []rooms.Membership{{RoomID: "tea"}, {RoomID: "tea", UserID: "ub", SocketID: "b"}}, j.Kept().Members)
	})
}

// A process that is killed leaves its journal as it is. Whatever part of the last write is on disk,
// what was sent has the same ID, and all that was sent is known.
func TestAJournalMayEndAnywhere(t *testing.T) {
	folder := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		j := open(t, folder)
		defer j.Close()
		s := start(t, webhooks.Options{URL: address, Transport: new(receiver), Journal: j})
		for i := range 6 {
			s.enter([]string{"tea", "größer\n"}[i%2], fmt.Sprint("s", i))
			time.Sleep(time.Second)
		}
		for i := range 5 {
			s.Remove(fmt.Sprint("s", i), "left")
			time.Sleep(time.Second)
		}
		s.stop()
	})
	text, err := os.ReadFile(journalIn(folder))
	require.NoError(t, err)
	whole, damage := webhooks.ReadJournal(bytes.NewReader(text))
	require.Empty(t, damage)
	require.Len(t, whole.Changes, 8+6)
	require.Len(t, whole.Members, 2)
	lines := bytes.SplitAfter(text, []byte("\n"))
	for n := range len(text) {
		kept, damage := webhooks.ReadJournal(bytes.NewReader(text[:n]))
		require.Empty(t, damage)
		require.LessOrEqual(t, len(kept.Changes), len(whole.Changes))
		require.True(t, n < len(lines[0])+len(lines[1]) || kept.Source == whole.Source || len(kept.Changes) == 0)
		for i, c := range kept.Changes {
			require.Equal(t, whole.Changes[i].Sequence, c.Sequence)
		}
		requireAllGone(t, kept)
	}
	for range 50 {
		broken := bytes.Clone(text)
		broken[rand.IntN(len(broken)-len(lines[len(lines)-2])-1)] ^= byte(1 + rand.IntN(255))
		kept, damage := webhooks.ReadJournal(bytes.NewReader(broken))
		require.NotEmpty(t, damage)
		require.Empty(t, kept.Source, "a sequence may have been used that is not known")
		require.LessOrEqual(t, len(kept.Changes), len(whole.Changes))
	}
}

// requireAllGone requires that the next process says that all members have left and all rooms are closed,
// and nothing of others.
func requireAllGone(t *testing.T, kept rooms.Kept) {
	t.Helper()
	next := rooms.New(deaf{}, rooms.Options{Members: 10, Changes: 100}, slog.New(slog.DiscardHandler))
	next.Continue(kept)
	inside := make(map[rooms.Membership]bool)
	list, _ := next.Changes(0, math.MaxInt)
	for _, c := range list {
		one := rooms.Membership{RoomID: c.RoomID, UserID: c.UserID, SocketID: c.SocketID}
		isThere := c.Kind == rooms.RoomCreated || c.Kind == rooms.MemberJoined
		require.Equal(t, !isThere, inside[one], "%v", c)
		if delete(inside, one); isThere {
			inside[one] = true
		}
	}
	require.Empty(t, inside)
}

func TestAJournalThatIsDamagedIsReadAsFarAsPossible(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		folder := t.TempDir()
		backend := new(receiver)
		j := open(t, folder)
		s := start(t, webhooks.Options{URL: address, Transport: backend, Journal: j})
		s.enter("tea", "a")
		time.Sleep(time.Second)
		s.enter("tea", "b")
		time.Sleep(time.Second)
		s.stop()
		require.NoError(t, j.Close())
		text, err := os.ReadFile(journalIn(folder))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(journalIn(folder), bytes.Replace(text, []byte(`"ub"`), []byte(`"xx"`), 1), 0o600))

		j = open(t, folder)
		defer j.Close()
		s = start(t, webhooks.Options{URL: address, Transport: backend, Journal: j})
		time.Sleep(time.Second)
		s.stop()
		require.Contains(t, s.log.String(), "some webhooks may be lost")
		all := backend.list()
		require.Equal(t, []string{"member-left tea ua a server ended", "room-closed tea   server ended"}, []string{all[3].String(), all[4].String()})
		require.NotEqual(t, all[0].ID[:30], all[3].ID[:30])
	})
}

func TestAFolderIsOfOneProcess(t *testing.T) {
	folder := t.TempDir()
	j := open(t, folder)
	_, err := webhooks.OpenJournal(folder)
	require.ErrorContains(t, err, "another process uses it")
	require.NoError(t, j.Close())
	j = open(t, folder)
	require.NoError(t, j.Close())

	file := filepath.Join(folder, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err = webhooks.OpenJournal(file)
	require.Error(t, err)
	require.NoError(t, os.MkdirAll(filepath.Join(folder, "other", "webhooks.journal"), 0o700))
	_, err = webhooks.OpenJournal(filepath.Join(folder, "other"))
	require.ErrorContains(t, err, "cannot be read")
}

// While the disk fails, nothing is sent: the next process could use the same ID again.
func TestNothingIsSentBeforeItIsOnDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		folder := t.TempDir()
		obstacle := journalIn(folder) + ".new"
		require.NoError(t, os.Mkdir(obstacle, 0o700))
		backend := new(receiver)
		j := open(t, folder)
		defer j.Close()
		s := start(t, webhooks.Options{URL: address, Transport: backend, Journal: j})
		s.enter("tea", "a")
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Empty(t, backend.list())
		require.Equal(t, 1, strings.Count(s.log.String(), "the journal cannot be written"))
		require.NoError(t, os.Remove(obstacle))
		time.Sleep(2 * time.Second)
		require.Len(t, backend.list(), 2)
		s.stop()
	})
}

// A disk that is full is not used up further, and the journal goes on when there is space.
func TestAFullDiskKeepsWebhooksWaiting(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("NOT TESTED: there is no /dev/full")
	}
	synctest.Test(t, func(t *testing.T) {
		folder := t.TempDir()
		next := journalIn(folder) + ".new"
		require.NoError(t, os.Symlink("/dev/full", next))
		backend := new(receiver)
		j := open(t, folder)
		defer j.Close()
		s := start(t, webhooks.Options{URL: address, Transport: backend, Journal: j})
		s.enter("tea", "a")
		synctest.Wait()
		require.Empty(t, backend.list())
		require.Contains(t, s.log.String(), "no space left on device")
		_, err := os.Lstat(next)
		require.ErrorIs(t, err, fs.ErrNotExist)
		time.Sleep(2 * time.Second)
		require.Len(t, backend.list(), 2)
		s.stop()
	})
}

// The members in a journal are those after its last change, whatever happens while it is written.
func TestTheMembersInAJournalAreThoseAfterItsChanges(t *testing.T) {
	of := rooms.New(deaf{}, rooms.Options{Members: 10, Changes: math.MaxInt}, slog.New(slog.DiscardHandler))
	for i := range 500 { // so that it takes a while to ask who is in which room
		require.NoError(t, of.Join(fmt.Sprint("quiet", i), rooms.JoinRequest{RoomID: fmt.Sprint("quiet", i), UserID: "u"}))
	}
	stop := make(chan struct{})
	var moving sync.WaitGroup
	defer moving.Wait()
	defer close(stop)
	for i := range 4 {
		moving.Go(func() { // ends with stop
			socketID := fmt.Sprint("s", i)
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				if of.Join(socketID, rooms.JoinRequest{RoomID: fmt.Sprint("room", n%5), UserID: "u"}) != nil {
					t.Error("a socket could not join")
				}
				if n%3 == 0 {
					of.Remove(socketID, "left")
				}
			}
		})
	}
	for range 10 {
		list, members := webhooks.Follow(of)
		want := make(map[rooms.Membership]bool)
		for _, c := range list {
			switch one := (rooms.Membership{RoomID: c.RoomID, UserID: c.UserID, SocketID: c.SocketID}); c.Kind {
			case rooms.RoomCreated, rooms.MemberJoined:
				want[one] = true
			default:
				delete(want, one)
			}
		}
		got := make(map[rooms.Membership]bool)
		for _, one := range members {
			got[one] = true
		}
		require.True(t, maps.Equal(want, got))
	}
}

// The journal is written anew now and then, so that it does not grow for ever.
func TestTheJournalIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		folder := t.TempDir()
		backend := new(receiver)
		j := open(t, folder)
		defer j.Close()
		s := start(t, webhooks.Options{URL: address, Transport: backend, Journal: j, Changes: 100})
		s.enter("quiet", "q")
		for i := range 1000 {
			s.enter([]string{"tea", "coffee"}[i%2], "a")
			if i%10 == 0 {
				time.Sleep(time.Second)
			}
		}
		since := time.Now()
		time.Sleep(time.Second)
		s.Replay(since.Add(-time.Second))
		time.Sleep(time.Second)
		s.stop()
		text, err := os.ReadFile(journalIn(folder))
		require.NoError(t, err)
		require.Less(t, bytes.Count(text, []byte("\n")), 400)
		kept, damage := webhooks.ReadJournal(bytes.NewReader(text))
		require.Empty(t, damage)
		require.Equal(t, []rooms.Membership{{RoomID: "coffee"}, {RoomID: "coffee", UserID: "ua", SocketID: "a"}, {RoomID: "quiet"}, {RoomID: "quiet", UserID: "uq", SocketID: "q"}}, kept.Members)
		require.Equal(t, s.ChangesInfo().Last, kept.Last)
		require.Equal(t, s.ChangesInfo().Delivered, kept.Delivered)
	})
}

// Whatever is in the file, it is read, and no change is missing between two others.
func FuzzReadJournal(f *testing.F) {
	f.Add([]byte(`00000000 {}` + "\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		kept, _ := webhooks.ReadJournal(bytes.NewReader(text))
		require.LessOrEqual(t, uint64(len(kept.Changes)), kept.Last)
	})
}
