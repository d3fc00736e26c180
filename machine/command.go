package machine

import (
	"encoding/binary"
	"math"
	"time"

	"signaling-server/internal/wire"
	"signaling-server/rooms"
	"signaling-server/sse"
)

// Command is one change of the state. One of its fields is set. The zero Command changes nothing:
// a node that has applied it has applied all that was answered before.
type Command struct {
	Post      *Post
	Operation *Operation
	Socket    *sse.Command
	Expired   *rooms.Stay // the permit of this stay has run out
	Node      *NodeCommand
}

// NodeCommand says something about a node.
type NodeCommand struct {
	// Lost is the name of a node that is lost: nothing it serves is attached any more. A node
	// that stops says so of itself. Empty: the node that has appended the record says that it
	// lives.
	Lost string
	// Settings is a hash of what the node that lives decides by: all nodes must
	// have the same.
	Settings uint64
	// Beat is which of its signs of life the lost node gave last, as the node knows that
	// reports it. If the node has given another sign since, it is not lost.
	Beat uint64
}

// Record is what one append to the log carries: commands that are applied one after the other.
type Record struct {
	Node string // that has appended it
	Life uint64 // how often the node has started
	// Log is the identity of the log, as the node knows it: see [Replica.Log]. 0: it has applied
	// nothing of it yet.
	Log uint64
	// Number counts the records of this life, from 1. A record that is appended again has the
	// same number, and is applied once.
	Number uint64
	// Losses is how often the node was lost, as it knows: see [Replica.Apply].
	Losses uint64
	At     time.Time // by the node's clock
	// Elapsed is the time that the log has counted, as the node knows it: see [Replica.Reckon].
	Elapsed  time.Duration
	Seed     [16]byte // random; the IDs of chat messages are made of it
	Commands []Command

	scratch scratch // what the commands refer to
}

// formatVersion is the first byte of a record and of a snapshot. It changes when a node of
// the last version could not read the bytes, or would come to another state.
const formatVersion = 1

// The first byte of each command says which field is set.
const (
	postCommand byte = iota + 1
	operationCommand
	socketCommand
	expiredCommand
	nodeCommand
	noCommand
)

// Append appends the record, which [ReadRecord] reads.
func (rec *Record) Append(b []byte) []byte {
	commands := make([][]byte, len(rec.Commands))
	for i := range rec.Commands {
		commands[i] = rec.Commands[i].Append(nil)
	}
	return rec.AppendWith(b, commands)
}

// AppendWith is Append for commands that are bytes already: see [Command.Append].
func (rec *Record) AppendWith(b []byte, commands [][]byte) []byte {
	b = append(b, formatVersion)
	b = wire.AppendText(b, rec.Node)
	b = binary.AppendUvarint(b, rec.Life)
	b = binary.AppendUvarint(b, rec.Log)
	b = binary.AppendUvarint(b, rec.Number)
	b = binary.AppendUvarint(b, rec.Losses)
	b = wire.AppendTime(b, rec.At)
	b = binary.AppendUvarint(b, uint64(rec.Elapsed))
	b = append(b, rec.Seed[:]...)
	b = binary.AppendUvarint(b, uint64(len(commands)))
	for _, text := range commands {
		b = append(b, text...)
	}
	return b
}

// ReadRecord reads a record. It refers to the bytes that are read. The error is ErrVersion if
// another version has written it.
func ReadRecord(b []byte) (rec Record, err error) {
	err = rec.Read(b)
	return rec, err
}

// Read is [ReadRecord] for a record whose memory is used again: its former commands are not
// valid any more.
func (rec *Record) Read(b []byte) error {
	if len(b) == 0 || b[0] != formatVersion {
		return ErrVersion
	}
	r := wire.NewReader(b[1:])
	clear(rec.Commands)
	rec.scratch.reset()
	*rec = Record{
		Node: r.Text(), Life: r.Uvarint(), Log: r.Uvarint(), Number: r.Uvarint(), Losses: r.Uvarint(), At: r.Time(),
		Commands: rec.Commands[:0], scratch: rec.scratch,
	}
	elapsed := r.Uvarint()
	if elapsed > math.MaxInt64 {
		return errMalformed
	}
	rec.Elapsed = time.Duration(elapsed)
	for i := range rec.Seed {
		rec.Seed[i] = r.Byte()
	}
	for range r.Count() {
		c := rec.readCommand(r)
		if r.Err() != nil {
			break
		}
		rec.Commands = append(rec.Commands, c)
	}
	return r.End()
}

func (rec *Record) readCommand(r *wire.Reader) (c Command) {
	switch r.Byte() {
	case postCommand:
		c.Post = rec.scratch.readPost(r)
	case operationCommand:
		operation := ReadOperation(r)
		c.Operation = &operation
	case socketCommand:
		c.Socket = readSocketCommand(r)
	case expiredCommand:
		c.Expired = &rooms.Stay{SocketID: r.Text(), Number: r.Uvarint()}
	case nodeCommand:
		c.Node = &NodeCommand{Lost: r.Text(), Settings: r.Uvarint(), Beat: r.Uvarint()}
	case noCommand:
	default:
		r.Fail(errMalformed)
	}
	return c
}

// Append appends the command, as a record holds it.
func (c *Command) Append(b []byte) []byte {
	switch {
	case c.Post != nil:
		return c.Post.Append(append(b, postCommand))
	case c.Operation != nil:
		return c.Operation.Append(append(b, operationCommand))
	case c.Socket != nil:
		return appendSocketCommand(append(b, socketCommand), c.Socket)
	case c.Expired != nil:
		b = wire.AppendText(append(b, expiredCommand), c.Expired.SocketID)
		return binary.AppendUvarint(b, c.Expired.Number)
	case c.Node != nil:
		b = binary.AppendUvarint(wire.AppendText(append(b, nodeCommand), c.Node.Lost), c.Node.Settings)
		return binary.AppendUvarint(b, c.Node.Beat)
	}
	return append(b, noCommand)
}

func appendSocketCommand(b []byte, c *sse.Command) []byte {
	b = wire.AppendText(append(b, byte(c.Kind)), c.SocketID)
	switch c.Kind {
	case sse.OpenSocket:
		return appendClient(wire.AppendText(appendAttachment(b, c.Attachment), string(c.Transport)), c.Client)
	case sse.AttachReader:
		b = appendClient(wire.AppendText(appendAttachment(b, c.Attachment), string(c.Transport)), c.Client)
		return binary.AppendUvarint(appendAttachment(b, c.Before), c.Sequence)
	case sse.DetachReader:
		return wire.AppendBool(binary.AppendUvarint(appendAttachment(b, c.Attachment), c.Sequence), c.IsStalled)
	case sse.NoteWritten:
		return binary.AppendUvarint(appendAttachment(b, c.Attachment), c.Sequence)
	case sse.NoteConfirmed:
		return binary.AppendUvarint(b, c.Sequence)
	case sse.GoAway, sse.Expire:
		return appendAttachment(b, c.Attachment)
	case sse.EndSocket:
		return wire.AppendText(wire.AppendText(b, string(c.Reason)), c.Detail)
	}
	return b
}

func readSocketCommand(r *wire.Reader) *sse.Command {
	c := &sse.Command{Kind: sse.CommandKind(r.Byte()), SocketID: r.Text()}
	switch c.Kind {
	case sse.OpenSocket:
		c.Attachment, c.Transport, c.Client = readAttachment(r), sse.Transport(r.Text()), readClient(r)
	case sse.AttachReader:
		c.Attachment, c.Transport, c.Client = readAttachment(r), sse.Transport(r.Text()), readClient(r)
		c.Before, c.Sequence = readAttachment(r), r.Uvarint()
	case sse.DetachReader:
		c.Attachment, c.Sequence, c.IsStalled = readAttachment(r), r.Uvarint(), r.Bool()
	case sse.NoteWritten:
		c.Attachment, c.Sequence = readAttachment(r), r.Uvarint()
	case sse.NoteConfirmed:
		c.Sequence = r.Uvarint()
	case sse.GoAway, sse.Expire:
		c.Attachment = readAttachment(r)
	case sse.EndSocket:
		c.Reason, c.Detail = sse.Reason(r.Text()), r.Text()
	case sse.NoteHeard, sse.TrimOutboxes:
	default:
		r.Fail(errMalformed)
	}
	return c
}

func appendAttachment(b []byte, a sse.Attachment) []byte {
	return binary.AppendUvarint(wire.AppendText(b, a.Node), a.Number)
}

func readAttachment(r *wire.Reader) sse.Attachment {
	return sse.Attachment{Node: r.Text(), Number: r.Uvarint()}
}

func appendClient(b []byte, c sse.Client) []byte {
	return wire.AppendPrefix(wire.AppendText(wire.AppendText(b, c.IP), c.UserAgent), c.Network)
}

func readClient(r *wire.Reader) sse.Client {
	return sse.Client{IP: r.Text(), UserAgent: r.Text(), Network: r.Prefix()}
}
