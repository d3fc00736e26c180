package rooms_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"math/rand/v2"
	"reflect"
	"runtime"
	"sync"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"signaling-server/rooms"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// mail is an event as it reached a socket.
type mail struct {
	event rooms.Event

	kind string
	data []byte
	json map[string]any
}

// postbox is a courier that keeps what it delivers.
type postbox struct {
	mu     sync.Mutex        // guards what follows
	events map[string][]mail // by the ID of the socket that received them
	refuse map[string]error  // by the ID of the socket that receives nothing more
	away   map[string]bool   // by socket ID

	hasNoShareFor map[string]string // which sender has no share left, by the target's ID

	silent    bool          // keep events in delivered, without parsing them
	delivered []rooms.Event // once for each event, however many receive it
}

func newPostbox() *postbox {
	return &postbox{events: make(map[string][]mail), refuse: make(map[string]error), away: make(map[string]bool), hasNoShareFor: make(map[string]string)}
}

func (p *postbox) Deliver(socketID string, e rooms.Event) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.refuse[socketID]; err != nil {
		return err
	}
	if p.silent {
		p.delivered = append(p.delivered, e)
		return nil
	}
	var text bytes.Buffer
	if _, err := e.Data.WriteTo(&text); err != nil {
		panic(err)
	}
	if text.Len() != e.Data.Len() {
		panic(fmt.Sprintf("%d bytes of an event that says it has %d", text.Len(), e.Data.Len()))
	}
	var object map[string]any
	if err := json.Unmarshal(text.Bytes(), &object); err != nil {
		panic(err)
	}
	if object["type"] != e.Kind {
		panic(fmt.Sprintf("type %v in an event %s", object["type"], e.Kind))
	}
	p.events[socketID] = append(p.events[socketID], mail{e, e.Kind, text.Bytes(), object})
	return nil
}

func (p *postbox) Send(socketID string, e rooms.Event) error { return p.Deliver(socketID, e) }

func (p *postbox) Admit(socketIDs iter.Seq[string], e rooms.Event) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id := range socketIDs {
		if p.hasNoShareFor[id] == e.From {
			return rooms.ErrOverflow
		}
	}
	return nil
}

func (p *postbox) Tell(socketIDs iter.Seq[string], e rooms.Event) (err error) {
	if p.silent {
		p.delivered = append(p.delivered, e)
		return nil
	}
	for id := range socketIDs {
		if failed := p.Deliver(id, e); errors.Is(failed, rooms.ErrDraining) {
			err = failed
		}
	}
	return err
}

func (*postbox) Flush() {}

func (p *postbox) IsAway(socketID string) (away, lives bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	lives = p.refuse[socketID] == nil
	return lives && p.away[socketID], lives
}

// setAway sets what IsAway reports of a socket.
func (p *postbox) setAway(socketID string, away bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.away[socketID] = away
}

// take returns the events that a socket has received since the last call.
func (p *postbox) take(socketID string) []mail {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := p.events[socketID]
	p.events[socketID] = nil
	return all
}

// one requires that a socket has received exactly one event since the last time, and
// returns it.
func (p *postbox) one(t *testing.T, socketID, kind string) map[string]any {
	t.Helper()
	all := p.take(socketID)
	require.Len(t, all, 1)
	require.Equal(t, kind, all[0].kind)
	return all[0].json
}

// none requires that these sockets have received nothing since the last time.
func (p *postbox) none(t *testing.T, socketIDs ...string) {
	t.Helper()
	for _, id := range socketIDs {
		require.Empty(t, p.take(id), id)
	}
}

// allRooms returns the description of each room that has members.
func allRooms(rs *rooms.Rooms) (all []rooms.Info) {
	for r := range rs.Each() {
		if info, ok := r.Info(); ok {
			all = append(all, info)
		}
	}
	return all
}

func newRooms(maxMembers int) (*rooms.Rooms, *postbox) {
	box := newPostbox()
	return rooms.New(box, rooms.Options{Members: maxMembers}, slog.New(slog.DiscardHandler)), box
}

// join makes sockets members of a room, and drops the events that they receive.
func join(t *testing.T, rs *rooms.Rooms, box *postbox, roomID string, socketIDs ...string) {
	t.Helper()
	for _, id := range socketIDs {
		require.NoError(t, rs.Join(id, rooms.JoinRequest{RoomID: roomID, UserID: "user of " + id}))
	}
	for _, id := range socketIDs {
		box.take(id)
	}
}

// users returns the socket IDs in the users of a room-joined.
func users(event map[string]any) (socketIDs []string) {
	for _, u := range event["users"].([]any) {
		socketIDs = append(socketIDs, u.(map[string]any)["socketId"].(string))
	}
	return socketIDs
}

func TestTheJoinerLearnsWhoIsThereAndTheOthersLearnOfTheJoiner(t *testing.T) {
	rs, box := newRooms(10)
	require.NoError(t, rs.Join("a", rooms.JoinRequest{RoomID: "room", UserID: "Ada", Metadata: json.RawMessage(`{"color":"<red>"}`)}))
	joined := box.one(t, "a", "room-joined")
	require.Equal(t, "room", joined["roomId"])
	require.Equal(t, "Ada", joined["userId"])
	require.Equal(t, []string{"a"}, users(joined))
	require.Regexp(t, `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`, joined["timestamp"])

	require.NoError(t, rs.Join("b", rooms.JoinRequest{RoomID: "room", UserID: "Bob"}))
	arrived := box.one(t, "a", "user-connected")
	require.Equal(t, "b", arrived["socketId"])
	require.Equal(t, "Bob", arrived["userId"])
	require.NotContains(t, arrived, "metadata")
	box.take("b")

	require.NoError(t, rs.Join("c", rooms.JoinRequest{RoomID: "room", UserID: "Cyd"}))
	raw := box.take("c")
	require.Equal(t, []string{"a", "b", "c"}, users(raw[0].json), "in order of joining")
	require.Contains(t, string(raw[0].data), `"metadata":{"color":"<red>"}`, "as it was written")
	box.one(t, "a", "user-connected")
	box.one(t, "b", "user-connected")
}

func TestJoiningAnotherRoomLeavesTheFormerFirst(t *testing.T) {
	rs, box := newRooms(10)
	join(t, rs, box, "old", "a", "b")
	join(t, rs, box, "new", "c")
	require.NoError(t, rs.Join("a", rooms.JoinRequest{RoomID: "new", UserID: "A"}))
	gone := box.one(t, "b", "user-disconnected")
	require.Equal(t, "a", gone["socketId"])
	require.Equal(t, "user of a", gone["userId"])
	require.Equal(t, "left", gone["reason"])
	require.Equal(t, []string{"c", "a"}, users(box.one(t, "a", "room-joined")))
	box.one(t, "c", "user-connected")

	require.NoError(t, rs.Chat("a", "hello"))
	box.none(t, "b")
	box.one(t, "c", "new-message")
}

func TestARepeatedJoinReachesTheJoinerAlone(t *testing.T) {
	rs, box := newRooms(10)
	join(t, rs, box, "room", "a", "b")
	require.NoError(t, rs.Join("a", rooms.JoinRequest{RoomID: "room", UserID: "user of a"}))
	require.Equal(t, []string{"a", "b"}, users(box.one(t, "a", "room-joined")))
	box.none(t, "b")
}

func TestJoiningTheSameRoomAsAnotherUserIsLeavingAndJoining(t *testing.T) {
	rs, box := newRooms(2)
	join(t, rs, box, "room", "a", "b")
	require.NoError(t, rs.Join("a", rooms.JoinRequest{RoomID: "room", UserID: "other"}), "a full room has a place for a member that joins again")
	all := box.take("b")
	require.Len(t, all, 2)
	require.Equal(t, "user-disconnected", all[0].kind)
	require.Equal(t, "user-connected", all[1].kind)
	require.Equal(t, "other", all[1].json["userId"])
	require.Equal(t, []string{"b", "a"}, users(box.one(t, "a", "room-joined")))

	alone, box := newRooms(1)
	join(t, alone, box, "room", "a")
	require.NoError(t, alone.Join("a", rooms.JoinRequest{RoomID: "room", UserID: "other"}))
	require.Equal(t, []string{"a"}, users(box.one(t, "a", "room-joined")))
}

func TestAFullRoomAdmitsNobodyAndTheSocketStaysWhereItWas(t *testing.T) {
	rs, box := newRooms(2)
	join(t, rs, box, "full", "a", "b")
	join(t, rs, box, "other", "c", "d")
	require.ErrorIs(t, rs.Join("c", rooms.JoinRequest{RoomID: "full", UserID: "C"}), rooms.ErrRoomFull)
	require.ErrorIs(t, rs.Join("e", rooms.JoinRequest{RoomID: "full", UserID: "E"}), rooms.ErrRoomFull)
	box.none(t, "a", "b", "c", "d", "e")
	require.NoError(t, rs.Chat("c", "still here"))
	box.one(t, "d", "new-message")
	require.ErrorIs(t, rs.Chat("e", "x"), rooms.ErrNotInRoom)
}

func TestARoomEndsWithItsLastMember(t *testing.T) {
	rs, box := newRooms(10)
	join(t, rs, box, "room", "a", "b")
	require.NoError(t, rs.Leave("a", ""))
	require.Equal(t, "left", box.one(t, "a", "room-left")["reason"])
	box.one(t, "b", "user-disconnected")
	_, ok := rs.Room("room")
	require.True(t, ok)
	rs.Remove("b", "transport close")
	_, ok = rs.Room("room")
	require.False(t, ok)
	require.Empty(t, allRooms(rs))
	active, members, total := rs.Counts()
	require.Equal(t, []any{0, 0, uint64(1)}, []any{active, members, total})
	require.ErrorIs(t, rs.Leave("a", ""), rooms.ErrNotInRoom)
	box.none(t, "a", "b")
}

func TestTheOthersLearnWhyASocketIsGone(t *testing.T) {
	rs, box := newRooms(10)
	join(t, rs, box, "room", "a", "b")
	rs.Remove("a", "transport close")
	require.Equal(t, "transport close", box.one(t, "b", "user-disconnected")["reason"])
	rs.Remove("a", "transport close")
	rs.Remove("never seen", "transport close")
	box.none(t, "b")
}

func TestASignalReachesItsTargetAloneAsItWasWritten(t *testing.T) {
	rs, box := newRooms(10)
	join(t, rs, box, "room", "a", "b", "c")
	members := `"target":"b","offer":{"sdp":"v=0\r\n\u003c","n":1.0e0,"n":2}`
	require.NoError(t, rs.Signal("a", "b", rooms.Relay{Kind: "offer", Members: []byte(members)}))
	all := box.take("b")
	require.Len(t, all, 1)
	require.Equal(t, `{"type":"offer","from":"a",`+members+`}`, string(all[0].data))
	box.none(t, "a", "c")
}

func TestASignalGoesOnlyToOtherMembersOfTheRoom(t *testing.T) {
	rs, box := newRooms(10)
	join(t, rs, box, "room", "a", "b")
	join(t, rs, box, "elsewhere", "c")
	relay := rooms.Relay{Kind: "signal", Members: []byte(`"data":1`)}
	for _, target := range []string{"a", "c", "room", "elsewhere", "", "nobody"} {
		require.ErrorIs(t, rs.Signal("a", target, relay), rooms.ErrTargetNotFound, target)
	}
	require.ErrorIs(t, rs.Signal("stranger", "a", relay), rooms.ErrNotInRoom)
	box.none(t, "a", "b", "c")
}

func TestASignalReturnsTheCouriersErrors(t *testing.T) {
	relay := rooms.Relay{Kind: "signal", Members: []byte(`"data":1`)}
	for courier, want := range map[error]error{
		rooms.ErrGone:     rooms.ErrTargetNotFound,
		rooms.ErrOverflow: rooms.ErrOverflow,
		rooms.ErrDraining: rooms.ErrDraining,
	} {
		rs, box := newRooms(10)
		join(t, rs, box, "room", "a", "b")
		box.refuse["b"] = courier
		require.ErrorIs(t, rs.Signal("a", "b", relay), want)
	}
}

func TestASocketThatCannotReceiveRoomJoinedIsNotAMember(t *testing.T) {
	rs, box := newRooms(10)
	join(t, rs, box, "room", "a")
	box.refuse["b"] = rooms.ErrGone
	require.ErrorIs(t, rs.Join("b", rooms.JoinRequest{RoomID: "room", UserID: "B"}), rooms.ErrGone)
	require.ErrorIs(t, rs.Join("b", rooms.JoinRequest{RoomID: "empty", UserID: "B"}), rooms.ErrGone)
	box.none(t, "a")
	require.Len(t, allRooms(rs), 1)
	_, members, _ := rs.Counts()
	require.Equal(t, 1, members)
}

func TestSignalWithoutTargetAndTypingGoToTheOthersChatToAll(t *testing.T) {
	rs, box := newRooms(10)
	join(t, rs, box, "room", "a", "b", "c")
	require.NoError(t, rs.SignalAll("a", rooms.Relay{Kind: "signal", Members: []byte(`"data":{"x":1}`)}))
	box.none(t, "a")
	require.Equal(t, "a", box.one(t, "b", "signal")["from"])
	box.one(t, "c", "signal")

	require.NoError(t, rs.Typing("a", true))
	box.none(t, "a")
	require.Equal(t, true, box.one(t, "b", "user-typing")["isTyping"])
	require.Equal(t, "user of a", box.one(t, "c", "user-typing")["userId"])

	require.NoError(t, rs.Chat("a", `<b>"hi"</b>`))
	ids := make(map[any]bool)
	for _, id := range []string{"a", "b", "c"} {
		message := box.one(t, id, "new-message")
		require.Equal(t, `<b>"hi"</b>`, message["message"])
		require.Equal(t, "user of a", message["userId"])
		require.Equal(t, "a", message["socketId"])
		require.Equal(t, "room", message["roomId"])
		ids[message["id"]] = true
	}
	require.Len(t, ids, 1)
}

// Events about one stay of a member replace each other. A later stay is another.
func TestANewStayHasANewNumber(t *testing.T) {
	rs, box := newRooms(10)
	join(t, rs, box, "room", "a", "b")
	keyOfTyping := func() uint64 {
		require.NoError(t, rs.Typing("a", true))
		return box.take("b")[0].event.Key
	}
	first := keyOfTyping()
	require.NotZero(t, first)
	require.Equal(t, first, keyOfTyping())
	box.setAway("a", true)
	rs.Observe("a")
	away := box.take("b")[0].event.Key
	require.NotZero(t, away)
	require.NotEqual(t, first, away, "another kind of event")
	require.NoError(t, rs.Leave("a", ""))
	box.setAway("a", false)
	join(t, rs, box, "room", "a")
	require.NotContains(t, []uint64{first, away}, keyOfTyping())
	require.NoError(t, rs.Chat("a", "hello"))
	require.Zero(t, box.take("b")[0].event.Key)
}

func TestOnlyAMemberCanSaySomething(t *testing.T) {
	rs, box := newRooms(10)
	require.ErrorIs(t, rs.Chat("a", "x"), rooms.ErrNotInRoom)
	require.ErrorIs(t, rs.Typing("a", true), rooms.ErrNotInRoom)
	require.ErrorIs(t, rs.SignalAll("a", rooms.Relay{Kind: "signal"}), rooms.ErrNotInRoom)
	require.ErrorIs(t, rs.Leave("a", ""), rooms.ErrNotInRoom)
	box.none(t, "a")
}

// Sockets join, change rooms, leave and end at random, all at once. Each member learns of
// each other member of its room exactly once: from user-connected if it was there first,
// or from users if it came later. When all sockets have ended, no room is left.
func TestEachMemberLearnsOfEachOtherMemberOnce(t *testing.T) {
	rs, box := newRooms(1000)
	const sockets, steps = 24, 300
	var working sync.WaitGroup
	for n := range sockets {
		working.Go(func() {
			id := fmt.Sprint("s", n)
			random := rand.New(rand.NewPCG(uint64(n), 1))
			for range steps {
				switch random.IntN(6) {
				case 0:
					_ = rs.Leave(id, "") // it may be in no room
				case 1:
					rs.Remove(id, "transport close")
				default:
					roomID := fmt.Sprint("room", random.IntN(3))
					if err := rs.Join(id, rooms.JoinRequest{RoomID: roomID, UserID: id}); err != nil {
						panic(err)
					}
				}
			}
		})
	}
	working.Wait()

	known := make(map[string]map[string]bool) // the members that each socket knows at the end
	for n := range sockets {
		id := fmt.Sprint("s", n)
		known[id] = make(map[string]bool)
		for _, e := range box.take(id) {
			switch e.kind {
			case "room-joined":
				clear(known[id])
				for _, other := range users(e.json) {
					known[id][other] = true
				}
			case "user-connected":
				other := e.json["socketId"].(string)
				require.False(t, known[id][other], "%s received user-connected for %s twice", id, other)
				known[id][other] = true
			case "user-disconnected":
				other := e.json["socketId"].(string)
				require.True(t, known[id][other], "%s received user-disconnected for %s, which it never knew", id, other)
				delete(known[id], other)
			}
		}
	}
	for _, room := range allRooms(rs) {
		var members []string
		for _, m := range room.Members {
			members = append(members, m.SocketID)
		}
		for _, id := range members {
			var knows []string
			for other := range known[id] {
				knows = append(knows, other)
			}
			require.ElementsMatch(t, members, knows, "what %s knows of %s", id, room.RoomID)
		}
	}
	for n := range sockets {
		rs.Remove(fmt.Sprint("s", n), "transport close")
	}
	active, members, _ := rs.Counts()
	require.Zero(t, active)
	require.Zero(t, members)
}

func TestAnEventIsSerialisedOnceHoweverManyReceiveIt(t *testing.T) {
	rs, box := newRooms(1000)
	var ids []string
	for n := range 100 {
		ids = append(ids, fmt.Sprint("s", n))
	}
	join(t, rs, box, "room", ids...)
	for _, id := range ids {
		box.take(id)
	}
	before := runtime.NumGoroutine()
	require.NoError(t, rs.Chat("s0", "hello"))
	require.Equal(t, before, runtime.NumGoroutine(), "no goroutine is started for the event")
	first := box.take("s0")[0].event.Data
	for _, id := range ids[1:] {
		require.Same(t, unsafe.SliceData(bytesOf(first)), unsafe.SliceData(bytesOf(box.take(id)[0].event.Data)), "all receivers share one text")
	}
}

// bytesOf returns the bytes of data that is in one piece, without copying them.
func bytesOf(data rooms.Data) []byte { return reflect.ValueOf(data).Bytes() }

// The caller reads requests into memory that it uses again.
func TestWhatACallerHandsOverIsCopied(t *testing.T) {
	rs, box := newRooms(10)
	join(t, rs, box, "room", "b")
	metadata, members, data := []byte(`{"n":1}`), []byte(`"data":[2]`), []byte(`[3]`)
	require.NoError(t, rs.Join("a", rooms.JoinRequest{RoomID: "room", UserID: "A", Metadata: metadata}))
	require.NoError(t, rs.Signal("a", "b", rooms.Relay{Kind: "signal", Members: members}))
	require.NoError(t, rs.SignalAll("a", rooms.Relay{Kind: "signal", Members: members}))
	require.NoError(t, rs.Announce("room", data))
	clear(metadata)
	clear(members)
	clear(data)
	received := box.take("b")
	for i, want := range []string{`"metadata":{"n":1}`, `"data":[2]`, `"data":[2]`, `"data":[3]`} {
		require.Contains(t, string(bytesOf(received[i].event.Data)), want)
	}
	require.NoError(t, rs.Join("c", rooms.JoinRequest{RoomID: "room", UserID: "C"}))
	require.Contains(t, string(box.take("c")[0].data), `"metadata":{"n":1}`)
}

func TestInfoDescribesARoomAndItsMembers(t *testing.T) {
	rs, box := newRooms(10)
	join(t, rs, box, "room", "a", "b")
	info, ok := rs.Room("room")
	require.True(t, ok)
	require.Equal(t, "room", info.RoomID)
	require.Equal(t, "user of a", info.Members[0].UserID)
	require.Equal(t, "b", info.Members[1].SocketID)
	require.False(t, info.LastActivity.Before(info.CreatedAt))
	before := info.LastActivity
	require.NoError(t, rs.Typing("a", true))
	info, _ = rs.Room("room")
	require.True(t, info.LastActivity.After(before))
	_, ok = rs.Room("nowhere")
	require.False(t, ok)
}
