package httpapi

import (
	"bytes"
	"encoding/json"
	"net/http"
	"time"
)

// What a long answer may take: memory and time.
const (
	// pieceSize is how many bytes of an answer are collected before they are written.
	pieceSize = 16 << 10
	// pieceTimeout is how long the client may take to read one piece.
	pieceTimeout = 8 * time.Second
	// piecesTimeout is how long the client may take to read the whole answer.
	piecesTimeout = 2 * time.Minute
)

// pieces is an answer in JSON that is made and written piece by piece, so that only one
// piece is in memory. Only one goroutine may use it.
type pieces struct {
	w       http.ResponseWriter
	control *http.ResponseController
	text    bytes.Buffer // the piece, not yet written
	encoder *json.Encoder
	until   time.Time // the end of piecesTimeout; zero: no piece has been written
	broken  bool      // the client is gone: the rest of the answer need not be made
}

func newPieces(w http.ResponseWriter) *pieces {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	p := &pieces{w: w, control: http.NewResponseController(w)}
	p.encoder = json.NewEncoder(&p.text)
	p.encoder.SetEscapeHTML(false) // see encode
	return p
}

// raw adds text that is already JSON.
func (p *pieces) raw(text string) { p.text.WriteString(text) }

// value adds one value as JSON.
func (p *pieces) value(value any) {
	if err := p.encoder.Encode(value); err != nil {
		panic(err) // strings, numbers and times always marshal
	}
	p.text.Truncate(p.text.Len() - len("\n"))
}

// members adds the members of an object, without its braces.
func (p *pieces) members(object any) {
	start := p.text.Len()
	p.value(object)
	written := p.text.Bytes()[start:]
	p.text.Truncate(start + copy(written, written[len("{"):len(written)-len("}")]))
}

// item adds an item of an array. If it is not the first, a comma comes before it.
func (p *pieces) item(isFirst bool, value any) {
	if !isFirst {
		p.raw(",")
	}
	p.value(value)
	p.writeFull()
}

// writeFull writes the piece if it is large enough.
func (p *pieces) writeFull() {
	if p.text.Len() < pieceSize {
		return
	}
	now := time.Now()
	if p.until.IsZero() {
		p.until = now.Add(piecesTimeout)
	}
	at := now.Add(pieceTimeout)
	if p.until.Before(at) {
		at = p.until
	}
	_ = p.control.SetWriteDeadline(at) // an error means that the writer has no deadlines, as in tests
	p.write()
}

// finish writes the last piece. If it is the only one, the server's WriteTimeout
// bounds it.
func (p *pieces) finish() { p.write() }

func (p *pieces) write() {
	if _, err := p.w.Write(p.text.Bytes()); err != nil {
		p.broken = true
	}
	p.text.Reset()
}
