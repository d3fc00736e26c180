// Package wire writes the values of a snapshot or of a command as bytes, and reads them
// again. There is one form for each value, so equal values have equal bytes.
//
// Numbers are the varints of [encoding/binary]: binary.AppendUvarint and
// binary.AppendVarint write them.
package wire

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// AppendText appends a text of any length, which [Reader.Text] and [Reader.Bytes] read.
func AppendText[T string | []byte](b []byte, text T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

// AppendBool appends what [Reader.Bool] reads.
func AppendBool(b []byte, is bool) []byte {
	if is {
		return append(b, 1)
	}
	return append(b, 0)
}

// AppendTime appends a moment with all its nanoseconds, without its time zone and without
// its reading of the monotonic clock. [Reader.Time] reads it.
func AppendTime(b []byte, t time.Time) []byte {
	return binary.AppendUvarint(binary.AppendVarint(b, t.Unix()), uint64(t.Nanosecond()))
}

// AppendPrefix appends a network or the zero Prefix, which [Reader.Prefix] reads.
func AppendPrefix(b []byte, p netip.Prefix) []byte {
	text, _ := p.MarshalBinary() // it never fails: see the documentation of netip
	return AppendText(b, text)
}
