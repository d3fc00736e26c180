package httpapi

import (
	"net/http"

	"signaling-server/httpapi/conns"
	"signaling-server/sse"
)

// Parking takes the connections of streams away from net/http, if a [conns.Guard] can. Their
// requests count as under way until their streams have ended. It implements [sse.Parking].
type Parking struct {
	// Guard has the connections. It is set before the first request. Nil: nothing is parked.
	Guard *conns.Guard
}

// CanPark implements [sse.Parking].
func (p *Parking) CanPark(w http.ResponseWriter, r *http.Request) bool {
	return p.Guard != nil && readingOf(w) != nil && p.Guard.CanPark(w, r)
}

// Park implements [sse.Parking].
func (p *Parking) Park(w http.ResponseWriter, r *http.Request, s sse.Parkable) (sse.Parked, error) {
	parked, err := p.Guard.Park(w, r, s)
	if err != nil {
		return nil, err
	}
	beginParked(w)
	answer := readingOf(w)
	answer.isParked = true
	return &parkedAnswer{Parked: parked, ended: answer.ended}, nil
}

// reading is the answer to a request that reads. The request is under way until its answer
// has ended, which may be long after its handler has returned.
type reading struct {
	http.ResponseWriter
	ended    func(parkedBytes int64) // called once; parkedBytes were written to a parked connection
	isParked bool
}

// Unwrap is for [http.ResponseController].
func (r *reading) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// end ends the answer when its handler has returned, unless it goes on.
func (r *reading) end() {
	if !r.isParked {
		r.ended(0)
	}
}

// readingOf finds the reading in an answer, or returns nil.
func readingOf(w http.ResponseWriter) *reading {
	for {
		switch answer := w.(type) {
		case *reading:
			return answer
		case interface{ Unwrap() http.ResponseWriter }:
			w = answer.Unwrap()
		default:
			return nil
		}
	}
}

// parkedAnswer is an answer on a parked connection.
type parkedAnswer struct {
	*conns.Parked
	ended func(parkedBytes int64)
	bytes int64
}

// Write implements [sse.Parked].
func (p *parkedAnswer) Write(text []byte) (int, error) {
	n, err := p.Parked.Write(text)
	p.bytes += int64(n)
	return n, err
}

// Close implements [sse.Parked].
func (p *parkedAnswer) Close() {
	p.Parked.Close()
	p.ended(p.bytes)
}
