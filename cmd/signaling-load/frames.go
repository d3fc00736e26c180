package main

import (
	"bufio"
	"bytes"
	"io"
)

// frames reads the events of a stream: only what this protocol's servers write, one
// line of data in each event.
type frames struct {
	from *bufio.Reader
	long []byte // of a line that is longer than the buffer
	kind []byte

	sequence int64 // of the last event that had an id
}

func newFrames(from io.Reader) *frames {
	return &frames{from: bufio.NewReaderSize(from, 2048)}
}

// next returns the type and the data of the next event, which are valid until the next
// call. A comment counts as a heartbeat: that is how other servers send theirs.
func (f *frames) next() (kind, data []byte, err error) {
	f.kind = f.kind[:0]
	for {
		line, err := f.line()
		if err != nil {
			return nil, nil, err
		}
		if len(line) > 0 && line[0] == ':' {
			return []byte("heartbeat"), nil, nil
		}
		switch name, value, _ := bytes.Cut(line, []byte(": ")); string(name) {
		case "id":
			_, sequence, _ := bytes.Cut(value, []byte("."))
			f.sequence = number(sequence)
		case "event":
			f.kind = append(f.kind, value...)
		case "data":
			return f.kind, value, nil
		}
	}
}

func (f *frames) line() ([]byte, error) {
	f.long = f.long[:0]
	for {
		part, err := f.from.ReadSlice('\n')
		if err == nil && len(f.long) == 0 {
			return part[:len(part)-1], nil
		}
		f.long = append(f.long, part...)
		if err == nil {
			return f.long[:len(f.long)-1], nil
		}
		if err != bufio.ErrBufferFull {
			return nil, err
		}
	}
}
