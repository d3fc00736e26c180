package httpapi

import (
	"io"
	"net/http"
	"slices"

	"signaling-server/httpapi/problem"
)

// results are the answer to a batch: what became of each event.
type results struct {
	each  []*problem.Problem // nil: the event is accepted
	kinds []*problem.Problem // each different problem once
	named int                // wrong fields in them: problem.MaxFieldErrors at most
}

func newResults(count int) results { return results{each: make([]*problem.Problem, 0, count)} }

// unnamed is the problem of an event whose wrong fields do not fit into the answer.
var unnamed = problem.ValidationFailed.With("The answer already names 20 wrong fields of earlier events, and does not name more. Send this event alone to see what to change.")

// add adds the result of the next event.
func (rs *results) add(p *problem.Problem) { rs.each = append(rs.each, rs.kept(p)) }

// set replaces the result of an event by a problem that names no wrong fields.
func (rs *results) set(event int, p *problem.Problem) { rs.each[event] = rs.kept(p) }

// kept returns the problem as the answer has it. Problems that say the same are kept once.
func (rs *results) kept(p *problem.Problem) *problem.Problem {
	if p == nil {
		return nil
	}
	if len(p.Errors) > 0 {
		if rs.named == problem.MaxFieldErrors {
			p = unnamed
		} else {
			p.Errors = p.Errors[:min(len(p.Errors), problem.MaxFieldErrors-rs.named)]
			rs.named += len(p.Errors)
		}
	}
	same := slices.IndexFunc(rs.kinds, func(known *problem.Problem) bool { return saySame(known, p) })
	if same < 0 {
		same = len(rs.kinds)
		rs.kinds = append(rs.kinds, p)
	}
	return rs.kinds[same]
}

// saySame reports whether two results read the same.
func saySame(p, other *problem.Problem) bool {
	return p.Name == other.Name && p.Detail == other.Detail && slices.Equal(p.Errors, other.Errors)
}

// write sends the answer. It is put together while it is sent: a client that does not
// read it takes only the memory of one result.
func (rs results) write(w http.ResponseWriter) {
	w.Header()["Cache-Control"], w.Header()["Content-Type"] = noStore, typeJSON
	_, _ = io.WriteString(w, `{"results":[`)
	for i, p := range rs.each {
		if i > 0 {
			_, _ = io.WriteString(w, ",")
		}
		var err error
		if p == nil {
			_, err = io.WriteString(w, `{"status":202}`)
		} else {
			err = encode(w, p.Document())
		}
		if err != nil {
			return // the client is gone
		}
	}
	_, _ = io.WriteString(w, "]}")
}
