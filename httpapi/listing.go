package httpapi

import (
	"fmt"
	"iter"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"signaling-server/rooms"
)

// list is a list that operators read in pages. An answer needs little memory, however
// long the list is: at most twice maxRanks ranks, and one piece of text.
type list struct {
	total, items string // the names of the answer's members for the number of items and for the items

	// find yields the items that contain a text, in any order.
	find func(sought) iter.Seq[rank]
	// describe adds an item to an answer, if it still exists.
	describe func(answer *pieces, isFirst bool, id string) (isThere bool)
	// size returns how many entries all items have together, and how many a page of limit
	// items has (0: of all items).
	size func(limit int) (all, page int)

	formatRank func(rank) string
	parseRank  func(string) (p rank, ok bool)
}

// maxRanks is how many items of a list are found in one pass.
const maxRanks = 2048

// serveList answers a request for a list.
func (a *API) serveList(w http.ResponseWriter, r *http.Request, l list) error {
	t, err := l.readTerms(r)
	if err != nil {
		return err
	}
	if err := a.payFor(r, l, t); err != nil {
		return err
	}
	count := maxRanks
	if t.limit > 0 {
		count = t.limit + 1 // one more shows whether there is a next page
	}
	page, total := firstAfter(t.after, l.find(t.sought), count)
	if t.limit > 0 && len(page) > t.limit {
		page = page[:t.limit]
		l.linkNext(w, r, t.limit, page[t.limit-1])
	}
	answer := newPieces(w)
	if r.Method == http.MethodHead {
		return nil
	}
	answer.raw(`{"` + l.total + `":` + strconv.Itoa(total) + `,"` + l.items + `":[`)
	isEmpty := l.describeAll(answer, page, true)
	for t.limit == 0 && len(page) == count && !answer.broken {
		last := page[len(page)-1]
		page, _ = firstAfter(&last, l.find(t.sought), count)
		isEmpty = l.describeAll(answer, page, isEmpty)
	}
	answer.raw("]}")
	answer.finish()
	return nil
}

// describeAll adds the items of a page to an array, except those that do not exist any
// more. It reports whether the array is still empty.
func (l list) describeAll(answer *pieces, page []rank, isEmpty bool) bool {
	for _, r := range page {
		if answer.broken {
			break
		}
		if l.describe(answer, isEmpty, r.id) {
			isEmpty = false
		}
	}
	return isEmpty
}

// Each answer of the monitoring counts as 1 against the limit of its network. A list
// counts as 1 more for each of these numbers of entries.
const (
	entriesForOne  = 1000 // entries that are written
	searchedForOne = 4000 // entries that are searched
)

// payFor charges a list to the limit of its network, before any work is done for it.
func (a *API) payFor(r *http.Request, l list, t terms) error {
	all, page := l.size(t.limit)
	cost := page / entriesForOne
	if t.sought != "" {
		cost += all / searchedForOne
	}
	if cost == 0 {
		return nil
	}
	return a.limits.Network(a.networkOf(r)).Monitor(cost)
}

type roomHead struct {
	RoomID string `json:"roomId"`
	Users  int    `json:"users"`
}

type roomTail struct {
	CreatedAt    string `json:"createdAt"`
	LastActivity string `json:"lastActivity"`
	Locked       bool   `json:"locked,omitempty"`
}

type userInfo struct {
	UserID   string `json:"userId"`
	SocketID string `json:"socketId"`
	JoinedAt string `json:"joinedAt"`
	Away     bool   `json:"away,omitempty"`
}

func (a *API) listRooms(w http.ResponseWriter, r *http.Request, _ params) error {
	return a.serveList(w, r, list{
		total: "totalRooms",
		items: "rooms",
		find:  a.findRooms,
		describe: func(answer *pieces, isFirst bool, roomID string) bool {
			room, ok := a.rooms.Room(roomID)
			if !ok {
				return false
			}
			if !isFirst {
				answer.raw(",")
			}
			describeRoom(answer, room)
			return true
		},
		size:       a.sizeOfRooms,
		formatRank: func(p rank) string { return p.id },
		parseRank:  func(text string) (rank, bool) { return rank{id: text}, true },
	})
}

// findRooms finds rooms by their ID, and by the IDs of their members.
func (a *API) findRooms(q sought) iter.Seq[rank] {
	return func(yield func(rank) bool) {
		for room := range a.rooms.Each() {
			if isSought := q == "" && room.Exists() || q != "" && isInRoom(q, room); isSought && !yield(rank{id: room.RoomID()}) {
				return
			}
		}
	}
}

func isInRoom(q sought, room rooms.Listed) bool {
	info, ok := room.Info()
	return ok && (q.isIn(info.RoomID) ||
		slices.ContainsFunc(info.Members, func(m rooms.MemberInfo) bool { return q.isIn(m.UserID) || q.isIn(m.SocketID) }))
}

// sizeOfRooms counts rooms and members as entries. It assumes that the rooms of a page
// have the mean size.
func (a *API) sizeOfRooms(limit int) (all, page int) {
	active, members, _ := a.rooms.Counts()
	all = active + members
	if limit == 0 || limit >= active {
		return all, all
	}
	return all, limit * all / active
}

// describeRoom adds a room to an answer. A large room takes several pieces.
func describeRoom(answer *pieces, room rooms.Info) {
	answer.raw("{")
	answer.members(roomHead{room.RoomID, len(room.Members)})
	answer.raw(`,"userList":[`)
	for i, m := range room.Members {
		answer.item(i == 0, userInfo{m.UserID, m.SocketID, timestamp(m.JoinedAt), m.IsAway})
		if answer.broken {
			return
		}
	}
	answer.raw("],")
	answer.members(roomTail{timestamp(room.CreatedAt), timestamp(room.LastActivity), room.IsLocked})
	answer.raw("}")
	answer.writeFull()
}

func (a *API) getRoom(w http.ResponseWriter, r *http.Request, p params) error {
	roomID, err := roomOf(r, p)
	if err != nil {
		return err
	}
	room, ok := a.rooms.Room(roomID)
	if !ok {
		return rooms.ErrNoRoom
	}
	answer := newPieces(w)
	describeRoom(answer, room)
	answer.finish()
	return nil
}

type connectionInfo struct {
	SocketID    string `json:"socketId"`
	ConnectedAt string `json:"connectedAt"`
	IP          string `json:"ip"`
	UserAgent   string `json:"userAgent"`
	CurrentRoom string `json:"currentRoom,omitempty"`
	UserID      string `json:"userId,omitempty"`
	Transport   string `json:"transport"`
}

func (a *API) listConnections(w http.ResponseWriter, r *http.Request, _ params) error {
	return a.serveList(w, r, list{
		total: "totalConnections",
		items: "connections",
		find:  a.findSockets,
		describe: func(answer *pieces, isFirst bool, socketID string) bool {
			s, ok := a.hub.Info(socketID)
			if !ok {
				return false
			}
			roomID, userID, _ := a.rooms.Place(socketID)
			answer.item(isFirst, connectionInfo{
				s.SocketID, timestamp(s.ConnectedAt), s.Client.IP, s.Client.UserAgent, roomID, userID, string(s.Transport),
			})
			return true
		},
		size: func(limit int) (all, page int) {
			all, _, _ = a.hub.Counts()
			if limit == 0 {
				limit = all
			}
			return all, min(limit, all)
		},
		formatRank: func(p rank) string { return fmt.Sprintf("%020d.%s", p.at, p.id) },
		parseRank:  parseAge,
	})
}

// parseAge parses a rank in the list of sockets.
func parseAge(text string) (p rank, ok bool) {
	at, id, _ := strings.Cut(text, ".")
	nanoseconds, err := strconv.ParseInt(at, 10, 64)
	return rank{nanoseconds, id}, err == nil
}

// findSockets finds sockets by their ID, by the address of their client, and by their
// room ID and user ID.
func (a *API) findSockets(q sought) iter.Seq[rank] {
	return func(yield func(rank) bool) {
		for s := range a.hub.Sockets() {
			id := s.SocketID()
			if q != "" && !q.isIn(id) && !q.isIn(s.Info().Client.IP) && !a.isPlacedIn(q, id) {
				continue
			}
			if !yield(rank{s.ConnectedAt().UnixNano(), id}) {
				return
			}
		}
	}
}

func (a *API) isPlacedIn(q sought, socketID string) bool {
	roomID, userID, ok := a.rooms.Place(socketID)
	return ok && (q.isIn(roomID) || q.isIn(userID))
}
