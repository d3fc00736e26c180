package httpapi

import (
	"io"
	"net/http"
	"slices"
	"unsafe"

	"signaling-server/httpapi/problem"
)

// results are the answer to a batch: what became of each event. The zero value is
// for a request that is not a batch.
type results struct {
	each  []*problem.Problem // nil: the event is accepted
	kinds []*problem.Problem // each different problem once
	named int                // wrong fields in them: problem.MaxFieldErrors at most
}

func newResults(count int) results { return results{each: make([]*problem.Problem, 0, count)} }

// unnamed is the problem of an event whose wrong fields do not fit into the answer.
var unnamed = problem.ValidationFailed.With("The answer already names 20 wrong fields of earlier events, and does not name more. Send this event alone to see what to change.")

// add adds the result of the next event. Problems that say the same are kept once.
func (rs *results) add(p *problem.Problem) {
	if p == nil {
		rs.each = append(rs.each, nil)
		return
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
	rs.each = append(rs.each, rs.kinds[same])
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

// size is how many bytes the results take while they are remembered.
func (rs results) size() (bytes int) {
	bytes = cap(rs.each) * int(unsafe.Sizeof((*problem.Problem)(nil)))
	for _, p := range rs.kinds {
		bytes += sizeOf(p)
	}
	return bytes
}

// sizeOf is how many bytes a problem takes.
func sizeOf(p *problem.Problem) (bytes int) {
	bytes = int(unsafe.Sizeof(*p))
	for _, e := range p.Errors {
		bytes += int(unsafe.Sizeof(e)) + len(e.Field) + len(e.Message)
	}
	return bytes
}

// short returns the results without details: only the type of each problem is left.
func (rs results) short() results {
	each := make([]*problem.Problem, len(rs.each))
	for i, p := range rs.each {
		if p != nil {
			each[i] = shortProblems[p.Name]
		}
	}
	return results{each: each}
}

// shortProblems holds one problem of each type. They are remembered in place of
// problems that are too large.
var shortProblems = func() map[string]*problem.Problem {
	all := make(map[string]*problem.Problem, len(problem.Types))
	for _, t := range problem.Types {
		all[t.Name] = t.With("The first answer to a request with this Idempotency-Key said more.")
	}
	return all
}()
