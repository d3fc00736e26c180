package webhooks

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"signaling-server/internal/filelock"
	"signaling-server/rooms"
)

const (
	journalName = "webhooks.journal"
	lockName    = "webhooks.lock"
	// maxGroup is how many changes are written at once.
	maxGroup = 1000
	// writeAgain is how long the journal waits after an error of the disk.
	writeAgain = time.Second
)

// Journal keeps changes on disk. Its lines are JSON, each after a checksum. The first lines are
// those of a state, and the next lines say what has changed since. A server that is alone uses one,
// and closes it after [Sender.Run] has returned.
type Journal struct {
	// set once
	path   string
	lock   *os.File
	kept   rooms.Kept
	damage string // what could not be read; empty: nothing

	wake chan struct{} // holds a value when there is something to write

	mu        sync.Mutex // guards what follows
	delivered []uint64   // not written yet
	round     uint64     // in which they were delivered
}

// line is a line of the journal. It has one of the members.
type line struct {
	Head      *head               `json:"head,omitempty"`
	Change    *rooms.Change       `json:"change,omitempty"`
	Members   *[]rooms.Membership `json:"members,omitempty"` // all that there are after the changes before
	Delivered []uint64            `json:"delivered,omitempty"`
}

// head is what was before the first change of a journal.
type head struct {
	Source    string `json:"source"`
	Last      uint64 `json:"last"`
	Delivered uint64 `json:"delivered"`
	Dropped   uint64 `json:"dropped"`
}

// OpenJournal reads the journal in a folder, and makes both if they do not exist. The error is a
// sentence for the operator. It says so if another process uses the folder.
func OpenJournal(folder string) (*Journal, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("it cannot be made: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(folder, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("it must be a folder in which this process may write: %w", err)
	}
	if err := filelock.Lock(lock); err != nil {
		return nil, errors.Join(errors.New("another process uses it: give each server a folder of its own"), lock.Close())
	}
	j := &Journal{path: filepath.Join(folder, journalName), lock: lock, wake: make(chan struct{}, 1)}
	text, err := os.ReadFile(j.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, errors.Join(fmt.Errorf("its journal cannot be read: %w", err), lock.Close())
	}
	j.kept, j.damage = readJournal(bytes.NewReader(text))
	return j, nil
}

// Close lets another process use the folder.
func (j *Journal) Close() error { return j.lock.Close() }

// Kept returns what the process before this one has kept.
func (j *Journal) Kept() rooms.Kept {
	kept := j.kept
	kept.Changes = slices.Clone(kept.Changes)
	return kept
}

// readJournal reads a journal as far as its lines are whole. What was written last may be lost
// in part: it was not sent yet. If there is more after that, the journal is damaged, and its
// changes get other IDs: a number may have been used that is not known here.
func readJournal(from io.Reader) (kept rooms.Kept, damage string) {
	inside := make(members)
	reader := bufio.NewReader(from)
	for number := 1; ; number++ {
		text, err := reader.ReadBytes('\n')
		if err != nil {
			break // the end, perhaps in a line
		}
		if apply(&kept, inside, text) {
			continue
		}
		if rest, _ := io.Copy(io.Discard, reader); rest > 0 {
			damage = fmt.Sprintf("line %d of the journal cannot be read, so that the lines from there on are lost", number)
			kept.Source = ""
		}
		break
	}
	kept.Members = inside.list()
	return kept, damage
}

// apply applies a line of a journal, and reports whether the line makes sense.
func apply(kept *rooms.Kept, inside members, text []byte) bool {
	sum, content, _ := bytes.Cut(bytes.TrimSuffix(text, []byte("\n")), []byte(" "))
	want, err := strconv.ParseUint(string(sum), 16, 32)
	if err != nil || uint32(want) != crc32.ChecksumIEEE(content) {
		return false
	}
	var l line
	if json.Unmarshal(content, &l) != nil {
		return false
	}
	switch {
	case l.Head != nil:
		kept.ChangesInfo = rooms.ChangesInfo{Source: l.Head.Source, Last: l.Head.Last, Delivered: l.Head.Delivered, Dropped: l.Head.Dropped}
	case l.Change != nil && l.Change.Kind.IsValid() && l.Change.Sequence == kept.Last+1:
		kept.Last++
		kept.Changes = append(kept.Changes, *l.Change)
		inside.apply(*l.Change)
	case l.Members != nil:
		inside.set(*l.Members)
	case l.Delivered != nil:
		before := kept.Last - uint64(len(kept.Changes))
		for _, sequence := range l.Delivered {
			if i := sequence - before - 1; sequence > before && sequence <= kept.Last && !kept.Changes[i].IsDelivered {
				kept.Changes[i].IsDelivered = true
				kept.Delivered++
			}
		}
	default:
		return false
	}
	return true
}

// members are the users that are in rooms, by the room and the socket. A room is there without a
// socket, too: a process may be killed before its first member has come, or after its last has left.
type members map[place]string

type place struct{ roomID, socketID string }

func (m members) apply(c rooms.Change) {
	switch c.Kind {
	case rooms.RoomCreated, rooms.MemberJoined:
		m[place{c.RoomID, c.SocketID}] = c.UserID
	case rooms.MemberLeft, rooms.RoomClosed:
		delete(m, place{c.RoomID, c.SocketID})
	}
}

func (m members) set(all []rooms.Membership) {
	clear(m)
	for _, one := range all {
		m[place{one.RoomID, one.SocketID}] = one.UserID
	}
}

// list returns the members of each room together.
func (m members) list() []rooms.Membership {
	all := make([]rooms.Membership, 0, len(m))
	for at, userID := range m {
		all = append(all, rooms.Membership{RoomID: at.roomID, UserID: userID, SocketID: at.socketID})
	}
	slices.SortFunc(all, func(a, b rooms.Membership) int {
		return cmp.Or(cmp.Compare(a.RoomID, b.RoomID), cmp.Compare(a.SocketID, b.SocketID))
	})
	return all
}

// noteDelivered lets the journal say that changes were delivered.
func (j *Journal) noteDelivered(round uint64, sequences []uint64) {
	j.mu.Lock()
	if round != j.round {
		j.round, j.delivered = round, nil
	}
	j.delivered = append(j.delivered, sequences...)
	j.mu.Unlock()
	signal(j.wake)
}

// takeDelivered takes what was delivered in a round and is not written yet.
func (j *Journal) takeDelivered(round uint64) (sequences []uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.round == round {
		sequences = j.delivered
	}
	j.delivered = nil
	return sequences
}

// run writes the changes until ctx is done. The rooms keep so many of them. It calls written with
// the last that is on disk. At last it writes what is left, unless the disk fails.
func (j *Journal) run(ctx context.Context, of *rooms.Rooms, changes int, logger *slog.Logger, written func(uint64)) {
	if j.damage != "" {
		logger.Warn("some webhooks may be lost", "error", j.damage)
	}
	w := &writer{journal: j, rooms: of, most: 2 * changes}
	defer w.close()
	isFailing := false
	for isLast := false; ; isLast = ctx.Err() != nil {
		isDone, err := w.write()
		if err == nil {
			written(w.last)
			isFailing = false
		} else if !isFailing {
			isFailing = true
			logger.Error("webhooks wait because the journal cannot be written", "error", err)
		}
		switch {
		case isLast && (isDone || err != nil):
			return
		case err != nil:
			select {
			case <-ctx.Done():
			case <-time.After(writeAgain):
			}
		case isDone && ctx.Err() == nil:
			select {
			case <-ctx.Done():
			case <-j.wake:
			}
		}
	}
}

// writer writes a journal. Only its goroutine uses it.
type writer struct {
	journal *Journal
	rooms   *rooms.Rooms
	most    int // how many changes are appended before the journal is written anew

	file   *os.File // nil: the journal must be written anew
	last   uint64   // sequence of the last change that was written, or that is to be written anew
	round  uint64
	source string
	added  int     // how many changes and deliveries, since the journal was written anew
	inside members // after the last change; nil: they are not known
}

func (w *writer) close() {
	if w.file != nil {
		_ = w.file.Close() // all was synchronised before
		w.file = nil
	}
}

// write writes what is new, until it is on disk. It reports whether that was all.
func (w *writer) write() (isDone bool, err error) {
	list, info := w.rooms.Changes(w.last, maxGroup)
	isGap := len(list) > 0 && list[0].Sequence != w.last+1
	if w.file == nil || info.Round != w.round || info.Source != w.source || isGap || w.added > w.most {
		return false, w.writeAnew()
	}
	var text []byte
	for i := range list {
		text = appendLine(text, line{Change: &list[i]})
		w.inside.apply(list[i])
		w.last = list[i].Sequence
	}
	delivered := w.journal.takeDelivered(w.round)
	if len(delivered) > 0 {
		text = appendLine(text, line{Delivered: delivered})
	}
	if len(text) == 0 {
		return true, nil
	}
	w.added += len(list) + len(delivered)
	if _, err = w.file.Write(text); err == nil {
		err = w.file.Sync()
	}
	if err != nil {
		w.close() // what it holds is not known
	}
	return false, err
}

// writeAnew replaces the journal by one with the state of now.
func (w *writer) writeAnew() error {
	w.close()
	w.journal.takeDelivered(math.MaxUint64) // the changes say it
	list, info := w.follow()
	text := appendLine(nil, line{Head: &head{info.Source, before(list, info), info.Delivered, info.Dropped}})
	for i := range list {
		text = appendLine(text, line{Change: &list[i]})
	}
	inside := w.inside.list()
	text = appendLine(text, line{Members: &inside})
	file, err := replace(w.journal.path, text)
	if err != nil {
		return err
	}
	w.file, w.round, w.source, w.added = file, info.Round, info.Source, 0
	return nil
}

// follow returns all changes, and follows the members up to the last of them. If too much has happened
// since, it asks who is in which room. Meanwhile there may be more changes, and the answer may have them
// or not: it does no harm to follow them again.
func (w *writer) follow() ([]rooms.Change, rooms.ChangesInfo) {
	for {
		list, info := w.rooms.Changes(0, math.MaxInt)
		if w.inside != nil && before(list, info) <= w.last {
			for _, c := range list[w.last-before(list, info):] {
				w.inside.apply(c)
			}
			w.last = info.Last
			return list, info
		}
		w.last, w.inside = info.Last, make(members)
		w.inside.set(w.rooms.Memberships())
	}
}

// before returns the sequence before all changes that are kept.
func before(list []rooms.Change, info rooms.ChangesInfo) uint64 { return info.Last - uint64(len(list)) }

// replace replaces a file by another with a text, and returns it, open at its end. If there is an error,
// the file is as it was.
func replace(path string, text []byte) (file *os.File, err error) {
	next := path + ".new"
	file, err = os.OpenFile(next, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	if _, err = file.Write(text); err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err == nil { // not each system renames an open file
		err = os.Rename(next, path)
	}
	if err != nil {
		return nil, errors.Join(err, os.Remove(next)) // it takes what is left of the disk
	}
	syncFolder(filepath.Dir(path))
	return os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0o600)
}

// syncFolder lets a new name of a file outlive a crash of the machine. Not each system can do it.
func syncFolder(path string) {
	if folder, err := os.Open(path); err == nil {
		_ = folder.Sync()
		_ = folder.Close()
	}
}

func appendLine(b []byte, l line) []byte {
	text, _ := json.Marshal(l) // texts and numbers never fail
	return append(fmt.Appendf(b, "%08x ", crc32.ChecksumIEEE(text)), append(text, '\n')...)
}
