package machine

import (
	"encoding/binary"
	"errors"
	"slices"

	"go.opentelemetry.io/otel/trace"

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
	b = appendTrace(b, p.Trace)
	b = wire.AppendText(b, string(p.Events))
	for i := range p.Acts {
		b = p.Acts[i].append(b)
	}
	return b
}

// ReadPost reads a POST. It refers to the bytes that are read. If they are malformed, the
// reader has an error.
func ReadPost(r *wire.Reader) Post { return *new(scratch).readPost(r) }

// scratch is memory for the POSTs of a record. Those of the next record use it again.
type scratch struct {
	posts  []Post
	events []Outcome
	acts   []Act
}

// reset lets the memory be used again. It keeps nothing of what was read.
func (s *scratch) reset() {
	clear(s.posts)
	clear(s.acts)
	s.posts, s.events, s.acts = s.posts[:0], s.events[:0], s.acts[:0]
}

// readPost is ReadPost. If a slice grows, what was read before keeps the memory that it has.
func (s *scratch) readPost(r *wire.Reader) *Post {
	p := Post{SocketID: r.Text(), Key: readKey(r), Confirmed: r.Uvarint(), Trace: readTrace(r)}
	events, acts := len(s.events), len(s.acts)
	s.events = readOutcomes(r, s.events)
	p.Events = slices.Clip(s.events[events:])
	for _, outcome := range p.Events {
		if outcome == Accepted && r.Err() == nil {
			s.acts = append(s.acts, readAct(r))
		}
	}
	p.Acts = slices.Clip(s.acts[acts:])
	s.posts = append(s.posts, p)
	return &s.posts[len(s.posts)-1]
}

// appendTrace appends the ID of a trace, or one byte if there is none.
func appendTrace(b []byte, id trace.TraceID) []byte {
	if !id.IsValid() {
		return wire.AppendText(b, "")
	}
	return wire.AppendText(b, id[:])
}

func readTrace(r *wire.Reader) (id trace.TraceID) {
	switch written := r.Bytes(); len(written) {
	case 0:
	case len(id):
		copy(id[:], written)
	default:
		r.Fail(errMalformed)
	}
	return id
}

func appendKey(b []byte, k Key) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(b, k.Name), k.Content)
}

func readKey(r *wire.Reader) Key { return Key{r.Uvarint(), r.Uvarint()} }

// readOutcomes reads outcomes, and appends them to others.
func readOutcomes(r *wire.Reader, to []Outcome) []Outcome {
	for _, outcome := range r.Bytes() {
		if Outcome(outcome) >= outcomes {
			r.Fail(errMalformed)
			break
		}
		to = append(to, Outcome(outcome))
	}
	return to
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
	b = wire.AppendText(b, j.Permit.ID)
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
			ID:         r.Text(),
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
	case Announce, AnnounceTo:
		return wire.AppendText(b, o.Data)
	case Revoke:
		return wire.AppendTime(o.Revoked.Append(b), o.Until)
	case Allow:
		return o.Revoked.Append(b)
	case NoteDelivered:
		return appendSequences(binary.AppendUvarint(b, o.Round), o.Sequences)
	case Replay:
		return wire.AppendTime(b, o.Since)
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
	case Announce, AnnounceTo:
		o.Data = r.Bytes()
	case Revoke:
		o.Revoked, o.Until = rooms.ReadRevoked(r), r.Time()
	case Allow:
		o.Revoked = rooms.ReadRevoked(r)
	case NoteDelivered:
		o.Round, o.Sequences = r.Uvarint(), readSequences(r)
	case Replay:
		o.Since = r.Time()
	case Close, Lock, Unlock:
	default:
		r.Fail(errMalformed)
	}
	return o
}

// appendSequences appends sequences, each by its distance from the last: in ascending order they take
// few bytes.
func appendSequences(b []byte, sequences []uint64) []byte {
	b = binary.AppendUvarint(b, uint64(len(sequences)))
	before := uint64(0)
	for _, sequence := range sequences {
		b = binary.AppendUvarint(b, sequence-before)
		before = sequence
	}
	return b
}

func readSequences(r *wire.Reader) (sequences []uint64) {
	before := uint64(0)
	for range r.Count() {
		before += r.Uvarint()
		sequences = append(sequences, before)
	}
	return sequences
}
