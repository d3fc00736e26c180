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

// maxLimit is the largest page that can be asked for.
const maxLimit = 1000

// maxSearch is how many characters a text that is searched for may have: more
// than any ID has.
const maxSearch = 256

// terms are what a request wants of a list.
type terms struct {
	sought sought
	limit  int   // items on the page; 0: all that there are
	after  *rank // the last item of the page before; nil: there is none
}

// rank is where an item stands in a list: first by its age, then by its ID.
// Rooms are sorted by their IDs alone, and have no age here.
type rank struct {
	at int64 // Unix time in nanoseconds
	id string
}

func (p rank) compare(other rank) int {
	return cmp.Or(cmp.Compare(p.at, other.at), strings.Compare(p.id, other.id))
}

// readTerms reads ?q=, ?limit= and ?cursor=.
func (l list) readTerms(query url.Values) (terms, error) {
	t := terms{sought: sought(strings.ToLower(query.Get("q")))}
	if utf8.RuneCountInString(query.Get("q")) > maxSearch {
		return terms{}, problem.Invalid(problem.Field("q", "max", fmt.Sprintf("must be at most %d characters long", maxSearch)))
	}
	if text := query.Get("limit"); text != "" {
		var err error
		if t.limit, err = strconv.Atoi(text); err != nil || t.limit < 1 || t.limit > maxLimit {
			return terms{}, problem.Invalid(problem.Field("limit", "range", fmt.Sprintf("must be a whole number from 1 to %d", maxLimit)))
		}
	}
	if text := query.Get("cursor"); text != "" {
		decoded, err := base64.RawURLEncoding.DecodeString(text)
		after, ok := l.parseRank(string(decoded))
		if err != nil || !ok {
			return terms{}, problem.Invalid(problem.Field("cursor", "cursor", "must be taken from the header Link of the page before"))
		}
		t.after = &after
	}
	return t, nil
}

// sought is a text that is searched for, in lower case. All texts have the empty
// one in them.
type sought string

func (s sought) isIn(text string) bool { return strings.Contains(strings.ToLower(text), string(s)) }

// linkNext sets the header Link (RFC 8288) to the page that follows.
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

// firstBehind returns the ranks that come first behind another (nil: of all),
// sorted, as many as count at most. It returns as well how many ranks there are
// in all. It never holds more than twice as many as it returns.
func firstBehind(after *rank, all iter.Seq[rank], count int) (first []rank, total int) {
	var kept []rank
	var last *rank // of those that are to be returned, if there are enough
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

// smallest sorts ranks and cuts off all but the first.
func smallest(ranks []rank, count int) []rank {
	slices.SortFunc(ranks, rank.compare)
	return ranks[:min(count, len(ranks))]
}
