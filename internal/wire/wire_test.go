package wire_test

import (
	"encoding/binary"
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signaling-server/internal/wire"
)

func TestWhatIsAppendedIsRead(t *testing.T) {
	moments := []time.Time{{}, time.Unix(0, 0), time.Now(), time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.FixedZone("east", 3600)), time.Unix(math.MinInt64, 0), time.Unix(math.MaxInt64, 1)}
	networks := []netip.Prefix{{}, netip.MustParsePrefix("192.0.2.1/32"), netip.MustParsePrefix("2001:db8::/64"), netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::ffff:192.0.2.1/128")}
	texts := []string{"", "x", "é\x00\n", strings.Repeat("long", 1000)}

	var b []byte
	for _, at := range moments {
		b = wire.AppendTime(b, at)
	}
	for _, network := range networks {
		b = wire.AppendPrefix(b, network)
	}
	for _, text := range texts {
		b = wire.AppendText(wire.AppendText(b, text), []byte(text))
	}
	b = binary.AppendVarint(binary.AppendUvarint(b, math.MaxUint64), math.MinInt64)
	b = append(wire.AppendBool(wire.AppendBool(b, true), false), 7)

	r := wire.NewReader(b)
	for _, at := range moments {
		require.Equal(t, at.Round(0).UTC(), r.Time())
	}
	for _, network := range networks {
		require.Equal(t, network, r.Prefix())
	}
	for _, text := range texts {
		require.Equal(t, text, r.Text())
		require.Equal(t, text, string(r.Bytes()))
	}
	require.Equal(t, uint64(math.MaxUint64), r.Uvarint())
	require.Equal(t, int64(math.MinInt64), r.Varint())
	require.True(t, r.Bool())
	require.False(t, r.Bool())
	require.Equal(t, byte(7), r.Byte())
	require.NoError(t, r.End())
}

func TestMalformedBytesAreRefused(t *testing.T) {
	for name, one := range map[string]struct {
		bytes string
		read  func(*wire.Reader)
	}{
		"nothing":                              {"", func(r *wire.Reader) { r.Uvarint() }},
		"a number that is cut off":             {"\x80", func(r *wire.Reader) { r.Uvarint() }},
		"a number above 64 bits":               {strings.Repeat("\xff", 10) + "\x01", func(r *wire.Reader) { r.Uvarint() }},
		"a number in a longer form":            {"\x81\x00", func(r *wire.Reader) { r.Uvarint() }},
		"a signed number in a longer form":     {"\x81\x00", func(r *wire.Reader) { r.Varint() }},
		"no byte":                              {"", func(r *wire.Reader) { r.Byte() }},
		"a text that is cut off":               {"\x03ab", func(r *wire.Reader) { r.Text() }},
		"a text of a length beyond all":        {strings.Repeat("\xff", 9) + "\x01", func(r *wire.Reader) { r.Bytes() }},
		"more values than bytes":               {"\x02x", func(r *wire.Reader) { r.Count() }},
		"neither true nor false":               {"\x02", func(r *wire.Reader) { r.Bool() }},
		"a second of too many nanoseconds":     {string(binary.AppendUvarint([]byte{0}, 1e9)), func(r *wire.Reader) { r.Time() }},
		"a time without nanoseconds":           {"\x02", func(r *wire.Reader) { r.Time() }},
		"a network of three bytes":             {"\x03abc", func(r *wire.Reader) { r.Prefix() }},
		"no network at all":                    {"\x00", func(r *wire.Reader) { r.Prefix() }},
		"a network with more bits than it has": {"\x05\xc0\x00\x02\x01\x21", func(r *wire.Reader) { r.Prefix() }},
		"bytes that are left":                  {"\x01x", func(r *wire.Reader) { r.Uvarint() }},
	} {
		r := wire.NewReader([]byte(one.bytes))
		one.read(r)
		require.Error(t, r.End(), name)
	}
}

func TestAfterAnErrorOnlyZerosAreRead(t *testing.T) {
	r := wire.NewReader([]byte("\x02\x01\x01\x01\x01\x01"))
	r.Bool()
	require.Error(t, r.Err())
	require.Zero(t, r.Uvarint())
	require.Zero(t, r.Varint())
	require.Zero(t, r.Count())
	require.Empty(t, r.Text())
	require.Zero(t, r.Byte())
	require.False(t, r.Bool())
	require.Zero(t, r.Time())
	require.Zero(t, r.Prefix())
	require.Equal(t, r.Err(), r.End())
}
