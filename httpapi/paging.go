package httpapi

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"signaling-server/httpapi/problem"
)

// maxLimit is how many items a page may have.
const maxLimit = 1000

// maxSearch is how many characters a search text may have: more than any ID has.
const maxSearch = 256

// terms are the part of a list that a request asks for.
type terms struct {
	sought sought
	limit  int   // items on the page; 0: all
	after  *rank // the last item of the previous page; nil: this is the first page
}

// rank is the position of an item in a sorted list. Sockets are sorted by their age,
// then by their ID. Rooms are sorted only by their ID.
type rank struct {
	at int64 // when the socket was opened, as Unix time in nanoseconds; 0 for a room
	id string
}

func (p rank) compare(other rank) int {
	return cmp.Or(cmp.Compare(p.at, other.at), strings.Compare(p.id, other.id))
}

// readTerms reads ?q=, ?limit= and ?cursor=.
func (l list) readTerms(r *http.Request) (terms, error) {
	query, err := queryOf(r, "q", "limit", "cursor")
	if err != nil {
		return terms{}, err
	}
	t := terms{sought: sought(strings.ToLower(query.Get("q")))}
	if utf8.RuneCountInString(query.Get("q")) > maxSearch {
		return terms{}, problem.Invalid(problem.Field("q", "max", fmt.Sprintf("must have %d characters at most", maxSearch)))
	}
	if text := query.Get("limit"); text != "" {
		if t.limit, err = strconv.Atoi(text); err != nil || t.limit < 1 || t.limit > maxLimit {
			return terms{}, problem.Invalid(problem.Field("limit", "range", fmt.Sprintf("must be a whole number from 1 to %d", maxLimit)))
		}
	}
	if text := query.Get("cursor"); text != "" {
		decoded, err := base64.RawURLEncoding.DecodeString(text)
		after, ok := l.parseRank(string(decoded))
		if err != nil || !ok {
			return terms{}, problem.Invalid(problem.Field("cursor", "cursor", "must come from the header Link of the previous page"))
		}
		t.after = &after
	}
	return t, nil
}

// sought is a search text in lower case. Every text contains the empty search text.
type sought string

func (s sought) isIn(text string) bool { return strings.Contains(strings.ToLower(text), string(s)) }

// linkNext sets the header Link to the next page (RFC 8288).
func (l list) linkNext(w http.ResponseWriter, r *http.Request, limit int, last rank) {
	next := url.Values{
		"limit":  {strconv.Itoa(limit)},
		"cursor": {base64.RawURLEncoding.EncodeToString([]byte(l.formatRank(last)))},
	}
	if q := r.URL.Query().Get("q"); q != "" {
		next.Set("q", q)
	}
	w.Header().Set("Link", fmt.Sprintf("<%s?%s>; rel=\"next\"", r.URL.Path, next.Encode()))
}

// firstAfter returns the first ranks after a rank (nil: from the start), sorted, and at
// most count of them. It also returns how many ranks there are in all. It never holds
// more than 2·count ranks.
func firstAfter(after *rank, all iter.Seq[rank], count int) (first []rank, total int) {
	var kept []rank
	var last *rank // the largest rank that is kept, once there are enough
	for p := range all {
		total++
		if after != nil && p.compare(*after) <= 0 || last != nil && p.compare(*last) >= 0 {
			continue
		}
		if kept = append(kept, p); len(kept) >= 2*count {
			kept = smallest(kept, count)
			worst := kept[count-1]
			last = &worst
		}
	}
	return slices.Clone(smallest(kept, count)), total
}

// smallest returns the smallest ranks, sorted.
func smallest(ranks []rank, count int) []rank {
	slices.SortFunc(ranks, rank.compare)
	return ranks[:min(count, len(ranks))]
}
