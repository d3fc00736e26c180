package sse

import (
	"bytes"
	"net/http"
	"os"
	"slices"
	"sync/atomic"
	"time"
)

// link writes what a stream has next to its client.
//
// If the connection is parked, the link has no goroutine. The goroutine that has put an event
// into the outbox writes it to the connection, by [Hub.Flush]. What the connection does not
// take at once stays in the outbox, until the connection takes more.
//
// If the handler holds the connection, its goroutine alone writes: see [heldConn].
type link struct {
	// set once
	stream    *stream
	isParked  bool
	isChunked bool      // a parked connection of HTTP/1.1; in HTTP/1.0 its end is the response's end
	conn      Parked    // set before ready
	held      *heldConn // the same, if the handler holds it; otherwise nil

	isQueued     atomic.Bool // it is in the hub's queue, or in that of a shared lane
	queuedBefore *link       // the next link in that queue; owned by the goroutine that has just set isQueued, then by Flush

	// guarded by socket.mu
	ready      bool          // the connection is parked
	raw        []byte        // must be written before the frames: the response's header or end
	frames     []sizedFrame  // that were taken and are not written whole
	sent       int           // how many bytes of the first of them the connection took
	wrote      uint64        // the sequence of the last frame that was written whole
	isWritable bool          // the connection takes more than it took of the write under way
	isBlocked  bool          // the connection takes nothing more now
	isHeldUp   bool          // the connection took a part, and must still take the rest
	hasDropped bool          // the frames that were for another reader are dropped
	isGone     bool          // the client has gone
	isLast     bool          // raw is the response's end
	isClosed   bool          // nothing more is written
	dead       error         // why the connection is broken; nil: it is not
	limit      time.Duration // by the hub's clock: when everything must be written; 0: no limit
	timeout    time.Duration // by the hub's clock: when a blocked connection must have taken more
	timer      *time.Timer   // calls expire at the timeout; nil: the connection was never blocked
}

// sizedFrame is a frame with its size on the connection.
type sizedFrame struct {
	frame
	size int
}

// park makes the link write to a parked connection: first the response's header.
func (l *link) park(conn Parked, header http.Header) { l.begin(conn, l.responseHead(header)) }

// hold makes the link write to a connection that the calling handler holds.
func (l *link) hold(conn *heldConn) { l.begin(conn, nil) }

// begin makes the link write to a connection.
func (l *link) begin(conn Parked, head []byte) {
	s := l.stream.socket
	s.mu.Lock()
	l.conn, l.ready = conn, true
	l.held, _ = conn.(*heldConn)
	if l.held != nil && l.limit != 0 {
		l.held.deadline.hurry(time.Now().Add(l.limit - s.hub.clock()))
	}
	l.raw = head
	l.wrote = l.stream.position
	l.isClosed = l.isGone
	ends := l.isClosed
	s.mu.Unlock()
	l.finishIf(ends)
	l.write()
}

// responseHead returns the start of the response (RFC 9112, 4). The connection ends with the
// response: nobody reads another request from it.
func (l *link) responseHead(header http.Header) []byte {
	header = header.Clone()
	setStreamHeaders(header)
	header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	header.Set("Connection", "close")
	status := "HTTP/1.0 200 OK\r\n"
	if l.isChunked {
		status = "HTTP/1.1 200 OK\r\n"
		header.Set("Transfer-Encoding", "chunked")
	}
	head := bytes.NewBufferString(status)
	_ = header.Write(head) // a buffer takes everything
	head.WriteString("\r\n")
	return head.Bytes()
}

// responseEnd ends a chunked response (RFC 9112, 7.1).
const responseEnd = "0\r\n\r\n"

func (l *link) advance() {
	if l.ready && !l.stream.busy && !l.isClosed {
		s := l.stream.socket
		s.hand(s.outbox.last) // a typing-start is not replaced by a typing-stop of the same batch
		s.hub.queueWrite(l)
	}
}

func (l *link) isStalled() bool { return hasTimedOut(l.dead) }

func (l *link) hurry(limit time.Duration) {
	at := l.stream.socket.hub.clock() + limit
	if l.limit == 0 || at < l.limit {
		l.limit = at
	}
	switch {
	case l.held != nil:
		l.held.deadline.hurry(time.Now().Add(limit))
	case l.isBlocked && !l.isClosed && l.limit < l.timeout:
		l.await(l.limit)
	}
}

func (l *link) bytes() int {
	if l.isParked {
		return parkedBytes
	}
	return heldBytes
}

func (l *link) close() {
	if l.timer != nil {
		l.timer.Stop()
	}
	if l.conn != nil {
		l.conn.Close()
	}
}

// maxWindows is how many windows one goroutine writes to one connection. Then it leaves the
// rest to [Hub.Run]: the goroutine has a request of its own to answer.
const maxWindows = 8

// write writes until the stream has nothing more, or the connection takes no more. No lock
// may be held. If another goroutine writes already, that one goes on to write.
func (l *link) write() {
	text := windows.Get().(*window)
	defer text.putBack()
	for range maxWindows {
		if !l.writeWindow(text) {
			return
		}
		text.reset()
	}
	s := l.stream.socket
	s.mu.Lock()
	l.advance()
	s.mu.Unlock()
	s.hub.wakeRun()
}

// writeWindow writes as much as fits into a window, and reports whether there may be more
// to write.
func (l *link) writeWindow(text *window) (more bool) {
	st, s := l.stream, l.stream.socket
	s.mu.Lock()
	if !l.ready || l.isClosed || st.busy {
		s.mu.Unlock()
		return false
	}
	if l.fill(text); len(text.bytes) == 0 {
		l.isClosed = l.isLast
		ends := l.isClosed
		s.mu.Unlock()
		l.finishIf(ends)
		return false
	}
	l.work()
	s.mu.Unlock()

	n, err := l.conn.Write(text.bytes)

	s.mu.Lock()
	l.took(n)
	isWhole := n == len(text.bytes)
	l.isHeldUp = !isWhole || l.sent > 0
	if more = isWhole || l.isWritable; more {
		l.rest()
		more = len(l.frames) > 0 || st.hasNext()
	} else if err == nil {
		l.block()
	}
	if l.isClosed = err != nil || l.isGone; err != nil {
		l.dead = err
	}
	ends := l.isClosed
	s.mu.Unlock()
	l.finishIf(ends)
	return more && !ends
}

// work notes that the link writes. The socket's lock must be held. While the connection
// takes something in parts, the stream is busy from the first part to the last.
func (l *link) work() {
	l.stream.busy, l.isWritable = true, false
	if !l.isHeldUp {
		l.stream.since = l.stream.socket.hub.clock()
	}
}

// rest notes that the link does not write now. The socket's lock must be held.
func (l *link) rest() {
	l.stream.busy = false
	if !l.isHeldUp {
		l.stream.since = l.stream.socket.hub.clock()
	}
}

// fill fills a window with what must be written next. The socket's lock must be held.
func (l *link) fill(text *window) {
	if l.stream.skip && !l.hasDropped {
		l.hasDropped = true // what is taken from now on is for this reader
		l.dropUnbegun()
	}
	text.add(l.raw)
	for i := 0; !text.isFull() && !l.isLast; i++ {
		if i == len(l.frames) {
			next, ok := l.stream.next()
			if !ok {
				break
			}
			l.frames = append(l.frames, sizedFrame{frame: next})
		}
		if i == 0 {
			text.skip = l.sent
		}
		l.frames[i].size = text.addFrame(l.frames[i].frame, l.isChunked)
	}
	if len(text.bytes) == 0 && l.stream.ending && !l.isLast {
		l.isLast = true
		if l.isChunked {
			l.raw = []byte(responseEnd)
			text.add(l.raw)
		}
	}
}

// dropUnbegun drops the frames that are not begun: they are for another reader, or for
// nobody. The stream goes back to the last frame that the client gets.
func (l *link) dropUnbegun() {
	if l.sent > 0 {
		l.stream.position = l.frames[0].id.Sequence
		l.frames = l.frames[:1]
		return
	}
	l.stream.position = l.wrote
	l.frames = nil
}

// took notes how many bytes the connection took. The socket's lock must be held.
func (l *link) took(n int) {
	if n > 0 {
		l.stream.socket.tookPiece(l.stream.since)
	}
	fromRaw := min(n, len(l.raw))
	if l.raw = l.raw[fromRaw:]; len(l.raw) == 0 {
		l.raw = nil
	}
	n -= fromRaw
	whole := 0
	for whole < len(l.frames) && n >= l.frames[whole].size-l.sent {
		n -= l.frames[whole].size - l.sent
		l.sent = 0
		whole++
	}
	l.sent += n
	if whole > 0 {
		l.wrote = l.frames[whole-1].id.Sequence
		l.stream.wrote(l.wrote)
	}
	l.frames = slices.Delete(l.frames, 0, whole) // it clears what it drops, so that no event stays in memory
	if len(l.frames) == 0 && cap(l.frames) > fewFrames {
		l.frames = nil
	}
}

// fewFrames is how many frames a link keeps memory for while it has none.
const fewFrames = 2

// block notes that the connection takes nothing more now. The link stays busy until the
// connection takes more, and ends if that takes too long. The socket's lock must be held.
func (l *link) block() {
	h := l.stream.socket.hub
	l.isBlocked = true
	at := h.clock() + h.options.WriteTimeout
	if l.limit != 0 {
		at = min(at, l.limit)
	}
	l.await(at)
}

// await sets the timeout of a blocked connection. The socket's lock must be held.
func (l *link) await(at time.Duration) {
	l.timeout = at
	wait := at - l.stream.socket.hub.clock()
	if l.timer == nil {
		l.timer = time.AfterFunc(wait, l.expire)
	} else {
		l.timer.Reset(wait)
	}
}

// expire ends the link if its connection is blocked and the timeout is over.
func (l *link) expire() {
	s := l.stream.socket
	s.mu.Lock()
	ends := l.isBlocked && !l.isClosed && s.hub.clock() >= l.timeout
	if ends {
		l.dead, l.isClosed = os.ErrDeadlineExceeded, true
	}
	s.mu.Unlock()
	l.finishIf(ends)
}

// Writable implements [Parkable]. If the Write under way has not returned yet, its goroutine
// goes on to write.
func (l *link) Writable() {
	s := l.stream.socket
	s.mu.Lock()
	l.isWritable = true
	if !l.isBlocked || l.isClosed {
		s.mu.Unlock()
		return
	}
	l.isBlocked, l.stream.busy = false, false
	s.mu.Unlock()
	l.write()
}

// Gone implements [Parkable]. If the connection is being written to, the link ends when
// that returns: it must not deliver anything after its end.
func (l *link) Gone(why error) {
	s := l.stream.socket
	s.mu.Lock()
	if l.isGone = true; l.isBlocked { // otherwise the connection took all, and the client is not too slow
		l.dead = why
	}
	ends := !l.isClosed && l.ready && (!l.stream.busy || l.isBlocked)
	l.isClosed = l.isClosed || ends
	s.mu.Unlock()
	l.finishIf(ends)
}

// abandon ends a link that was never parked.
func (l *link) abandon() {
	s := l.stream.socket
	s.mu.Lock()
	l.isClosed = true
	s.mu.Unlock()
	l.finishIf(true)
}

// finishIf ends the stream if the link has just been closed. No lock may be held.
func (l *link) finishIf(ends bool) {
	if ends {
		l.stream.socket.hub.closeReader(l.stream.socket, l.stream)
	}
}
