package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"time"
)

// errMalformed: the bytes are not what the functions of this package write.
var errMalformed = errors.New("wire: the bytes are malformed or cut off")

// Reader reads values in the order in which they were appended. After the first malformed
// value it returns zero values only, so it is enough to ask for the error at the end.
// Bytes from a stranger make it allocate no more than they are long.
type Reader struct {
	left []byte
	err  error
}

// NewReader returns a reader of these bytes. They must not change while values are read.
func NewReader(b []byte) *Reader { return &Reader{left: b} }

// End returns an error if a value was malformed, or if bytes are left.
func (r *Reader) End() error {
	if len(r.left) > 0 {
		r.Fail(errMalformed)
	}
	return r.err
}

// Err returns an error if a value was malformed.
func (r *Reader) Err() error { return r.err }

// Fail makes the reader return zero values from now on, because a value makes no sense to
// its reader. The first error stays.
func (r *Reader) Fail(err error) {
	if r.err == nil {
		r.left, r.err = nil, err
	}
}

// Uvarint reads what binary.AppendUvarint appends.
func (r *Reader) Uvarint() uint64 {
	n, size := binary.Uvarint(r.left)
	r.skipVarint(size)
	if r.err != nil {
		return 0
	}
	return n
}

// Varint reads what binary.AppendVarint appends.
func (r *Reader) Varint() int64 {
	n, size := binary.Varint(r.left)
	r.skipVarint(size)
	if r.err != nil {
		return 0
	}
	return n
}

// skipVarint skips a varint of this many bytes. It refuses zeros at the end, because the
// same number has a shorter form.
func (r *Reader) skipVarint(size int) {
	if size <= 0 || size > 1 && r.left[size-1] == 0 {
		r.Fail(errMalformed)
		return
	}
	r.left = r.left[size:]
}

// Count reads how many values follow. Each value takes a byte at least, so a slice of
// this length may be made.
func (r *Reader) Count() int {
	n := r.Uvarint()
	if n > uint64(len(r.left)) {
		r.Fail(errMalformed)
		return 0
	}
	return int(n)
}

// Bytes reads what [AppendText] appends. The result is a part of the bytes that are read,
// or nil for an empty text.
func (r *Reader) Bytes() []byte {
	n := r.Count()
	if n == 0 {
		return nil
	}
	text := r.left[:n:n]
	r.left = r.left[n:]
	return text
}

// Text reads what [AppendText] appends, and copies it.
func (r *Reader) Text() string { return string(r.Bytes()) }

// Byte reads one byte.
func (r *Reader) Byte() byte {
	if len(r.left) == 0 {
		r.Fail(errMalformed)
		return 0
	}
	first := r.left[0]
	r.left = r.left[1:]
	return first
}

// Bool reads what [AppendBool] appends.
func (r *Reader) Bool() bool {
	is := r.Byte()
	if is > 1 {
		r.Fail(errMalformed)
	}
	return is == 1
}

// Time reads what [AppendTime] appends. The result is in UTC.
func (r *Reader) Time() time.Time {
	seconds, nanoseconds := r.Varint(), r.Uvarint()
	if nanoseconds >= uint64(time.Second) {
		r.Fail(errMalformed)
	}
	if r.err != nil {
		return time.Time{}
	}
	return time.Unix(seconds, int64(nanoseconds)).UTC()
}

// Prefix reads what [AppendPrefix] appends.
func (r *Reader) Prefix() (p netip.Prefix) {
	text := r.Bytes()
	if r.err != nil {
		return netip.Prefix{}
	}
	err := p.UnmarshalBinary(text)
	if again, _ := p.MarshalBinary(); err != nil || !bytes.Equal(again, text) {
		r.Fail(errMalformed)
		return netip.Prefix{}
	}
	return p
}
