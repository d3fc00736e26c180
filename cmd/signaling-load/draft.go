package main

import (
	"bytes"
	"strconv"
)

// A draft is a request that is made once and sent many times. Each event in it has
// its own target and stamp.
type draft struct {
	request  []byte
	of       string // ID of the client
	position int    // where the sequence of the last event is that has arrived; 0: nowhere
	key      int    // where the Idempotency-Key is; 0: nowhere
	slots    []slot
}

// slot says where one event's target and stamp are in a request.
type slot struct {
	targets []int
	stamp   int
}

func newDraft(request []byte, of string) draft {
	t := draft{request: request, of: of, position: positionIn(request), key: keyIn(request)}
	for from := 0; ; {
		i := bytes.Index(request[from:], stampKey)
		if i < 0 {
			return t
		}
		// The members are in the order of the alphabet: the stamp comes before the target.
		end := len(request)
		if next := bytes.Index(request[from+i+1:], stampKey); next >= 0 {
			end = from + i + 1 + next
		}
		s := slot{stamp: from + i + len(stampKey)}
		for at := from; ; {
			j := bytes.Index(request[at:end], []byte(anyTarget))
			if j < 0 {
				break
			}
			s.targets = append(s.targets, at+j)
			at += j + len(anyTarget)
		}
		t.slots = append(t.slots, s)
		from = end
	}
}

// fill writes the target and the stamp of the event in a slot.
func (t draft) fill(i int, target string, s stamp) {
	for _, at := range t.slots[i].targets {
		copy(t.request[at:], target)
	}
	s.write(t.request[t.slots[i].stamp:])
}

// anyPosition is a place for a sequence. Spaces at the end of a header field do not count.
const anyPosition = "                "

// positionIn finds the sequence with which a request confirms what has arrived.
func positionIn(request []byte) int {
	i := bytes.Index(request, []byte("Last-Event-ID: "))
	if i < 0 {
		return 0
	}
	return i + bytes.IndexByte(request[i:], '.') + 1
}

// confirm writes the sequence of the last event that has arrived, as the shipped clients do.
func (t draft) confirm(sequence int64) {
	if t.position > 0 {
		writePosition(t.request[t.position:t.position+len(anyPosition)], sequence)
	}
}

// Idempotency-Keys are numbers that have as many digits as this.
const (
	keyHeader = "Idempotency-Key: "
	anyKey    = "000000000000"
)

func keyIn(request []byte) int {
	i := bytes.Index(request, []byte(keyHeader))
	if i < 0 {
		return 0
	}
	return i + len(keyHeader)
}

// name gives the request a key of its own.
func (t draft) name(key int64) {
	if t.key > 0 {
		digits(t.request[t.key:t.key+len(anyKey)], key)
	}
}

func writePosition(to []byte, sequence int64) {
	written := strconv.AppendInt(to[:0], sequence, 10)
	copy(to[len(written):], anyPosition)
}

// A stamp is what the generator writes into an event to know it again.
type stamp struct {
	sender int   // index of the sending client
	number int   // of the events from this sender to this receiver: 1, 2, 3 …
	sent   int64 // nanoseconds since the start
}

func (s stamp) write(to []byte) {
	digits(to[:6], int64(s.sender))
	digits(to[7:15], int64(s.number))
	digits(to[16:31], s.sent)
}

func digits(to []byte, n int64) {
	for i := len(to) - 1; i >= 0; i-- {
		to[i] = byte('0' + n%10)
		n /= 10
	}
}

// stampOf finds the stamp in an event.
func stampOf(event []byte) (s stamp, found bool) {
	_, text, found := bytes.Cut(event, stampKey)
	if !found || len(text) < len(anyStamp) {
		return s, false
	}
	return stamp{int(number(text[:6])), int(number(text[7:15])), number(text[16:31])}, true
}

func number(digits []byte) (n int64) {
	for _, d := range digits {
		n = n*10 + int64(d-'0')
	}
	return n
}
