package machine

import (
	"encoding/binary"
	"errors"

	"signaling-server/internal/wire"
	"signaling-server/rooms"
)

// Each command has one form in bytes. The version of the form is not in it: a log of commands
// must say it.

// errMalformed: the bytes make no sense.
var errMalformed = errors.New("machine: the bytes are not a command")

// Append appends the POST, which [ReadPost] reads.
func (p *Post) Append(b []byte) []byte {
	b = wire.AppendText(b, p.SocketID)
	b = appendKey(b, p.Key)
	b = binary.AppendUvarint(b, p.Confirmed)
	b = wire.AppendText(b, string(p.Events))
	for i := range p.Acts {
		b = p.Acts[i].append(b)
	}
	return b
}

// ReadPost reads a POST. It refers to the bytes that are read. If they are malformed, the
// reader has an error.
func ReadPost(r *wire.Reader) Post {
	p := Post{SocketID: r.Text(), Key: readKey(r), Confirmed: r.Uvarint()}
	p.Events = readOutcomes(r)
	for _, outcome := range p.Events {
		if outcome == Accepted && r.Err() == nil {
			p.Acts = append(p.Acts, readAct(r))
		}
	}
	return p
}

func appendKey(b []byte, k Key) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(b, k.Name), k.Content)
}

func readKey(r *wire.Reader) Key { return Key{r.Uvarint(), r.Uvarint()} }

func readOutcomes(r *wire.Reader) []Outcome {
	each := []Outcome(r.Text())
	for _, outcome := range each {
		if outcome >= outcomes {
			r.Fail(errMalformed)
			return nil
		}
	}
	return each
}

func (a *Act) append(b []byte) []byte {
	b = append(b, byte(a.Kind))
	switch a.Kind {
	case JoinRoom:
		return appendJoin(b, a.Join)
	case LeaveRoom:
		return wire.AppendText(b, a.RequestID)
	case Offer, Answer, ICECandidate, Signal:
		return wire.AppendText(wire.AppendText(b, a.Target), a.Members)
	case SendMessage:
		return wire.AppendText(b, a.Message)
	}
	return b
}

func readAct(r *wire.Reader) (a Act) {
	a.Kind = Kind(r.Byte())
	switch a.Kind {
	case JoinRoom:
		a.Join = readJoin(r)
	case LeaveRoom:
		a.RequestID = r.Text()
	case Offer, Answer, ICECandidate, Signal:
		a.Target, a.Members = r.Text(), r.Bytes()
	case SendMessage:
		a.Message = r.Text()
	case TypingStart, TypingStop, Ping, Heartbeat, Disconnect:
	default:
		r.Fail(errMalformed)
	}
	return a
}

func appendJoin(b []byte, j *rooms.JoinRequest) []byte {
	b = wire.AppendText(b, j.RoomID)
	b = wire.AppendText(b, j.UserID)
	b = wire.AppendText(b, []byte(j.Metadata))
	b = wire.AppendText(b, j.RequestID)
	b = wire.AppendBool(b, j.Permit.NoSignals)
	b = wire.AppendBool(b, j.Permit.NoChat)
	b = binary.AppendVarint(b, int64(j.Permit.MaxMembers))
	b = wire.AppendTime(b, j.Permit.Expires)
	return wire.AppendPrefix(b, j.Permit.Network)
}

func readJoin(r *wire.Reader) *rooms.JoinRequest {
	return &rooms.JoinRequest{
		RoomID:    r.Text(),
		UserID:    r.Text(),
		Metadata:  r.Bytes(),
		RequestID: r.Text(),
		Permit: rooms.Permit{
			NoSignals:  r.Bool(),
			NoChat:     r.Bool(),
			MaxMembers: int(r.Varint()),
			Expires:    r.Time(),
			Network:    r.Prefix(),
		},
	}
}

// Append appends the operation, which [ReadOperation] reads.
func (o Operation) Append(b []byte) []byte {
	b = wire.AppendText(append(b, byte(o.Kind)), o.ID)
	switch o.Kind {
	case Kick:
		return wire.AppendText(b, o.Reason)
	case Announce:
		return wire.AppendText(b, o.Data)
	}
	return b
}

// ReadOperation reads an operation. It refers to the bytes that are read. If they are
// malformed, the reader has an error.
func ReadOperation(r *wire.Reader) Operation {
	o := Operation{Kind: OperationKind(r.Byte()), ID: r.Text()}
	switch o.Kind {
	case Kick:
		o.Reason = r.Text()
	case Announce:
		o.Data = r.Bytes()
	case Close, Lock, Unlock:
	default:
		r.Fail(errMalformed)
	}
	return o
}
