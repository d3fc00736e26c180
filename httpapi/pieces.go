package httpapi

import (
	"bytes"
	"encoding/json"
	"net/http"
	"time"
)

// What a long answer may take of the server.
const (
	// pieceSize is how many bytes of an answer are made before they are written.
	pieceSize = 16 << 10
	// pieceTimeout is how long the client may take to read a piece.
	pieceTimeout = 8 * time.Second
	// piecesTimeout is how long the client may take for the whole answer.
	piecesTimeout = 2 * time.Minute
)

// pieces is an answer in JSON that is made and written piece by piece: most of it
// never is in memory. One goroutine uses it.
type pieces struct {
	w       http.ResponseWriter
	control *http.ResponseController
	text    bytes.Buffer // made, but not yet written
	encoder *json.Encoder
	until   time.Time // no piece may be written later; zero: none has been written
	broken  bool      // the client takes no more: nothing needs to be made
}

func newPieces(w http.ResponseWriter) *pieces {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	p := &pieces{w: w, control: http.NewResponseController(w)}
	p.encoder = json.NewEncoder(&p.text)
	p.encoder.SetEscapeHTML(false) // see writeJSON
	return p
}

// raw adds text that is JSON already.
func (p *pieces) raw(text string) { p.text.WriteString(text) }

// value adds one value.
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

// item adds one more item of an array, and a comma before all but the first.
func (p *pieces) item(isFirst bool, value any) {
	if !isFirst {
		p.raw(",")
	}
	p.value(value)
	p.writeFull()
}

// writeFull writes what was made, if it is a whole piece.
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
	_ = p.control.SetWriteDeadline(at) // what knows no deadlines (in tests) does without
	p.write()
}

// finish writes the rest. An answer of one piece keeps the server's own time-out.
func (p *pieces) finish() { p.write() }

func (p *pieces) write() {
	if _, err := p.w.Write(p.text.Bytes()); err != nil {
		p.broken = true
	}
	p.text.Reset()
}
