package httpapi

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxLimit is the largest page that can be asked for.
const maxLimit = 1000

// maxSearch is how many characters a text that is searched for may have: more
// than any ID has.
const maxSearch = 256

// search keeps the items one of whose texts holds what the request asks for by
// ?q=, whatever its case, or all where it asks for nothing.
func search[T any](r *http.Request, all []T, texts func(T) []string) ([]T, error) {
	q := r.URL.Query().Get("q")
	switch {
	case q == "":
		return all, nil
	case utf8.RuneCountInString(q) > maxSearch:
		return nil, invalid(FieldError{"q", "max", fmt.Sprintf("must be at most %d characters long", maxSearch)})
	}
	q = strings.ToLower(q)
	holds := func(text string) bool { return strings.Contains(strings.ToLower(text), q) }
	return slices.DeleteFunc(all, func(item T) bool { return !slices.ContainsFunc(texts(item), holds) }), nil
}

// paginate sorts a list by a key that is different for each of its items, and
// cuts out the page that the request asks for: ?limit= items behind ?cursor=,
// or all where there is no limit. Where more follow, it sets the header Link
// (RFC 8288) to the next page.
func paginate[T any](w http.ResponseWriter, r *http.Request, all []T, key func(T) string) ([]T, error) {
	query := r.URL.Query()
	limit, after := len(all), ""
	if text := query.Get("limit"); text != "" {
		var err error
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > maxLimit {
			return nil, invalid(FieldError{"limit", "range", fmt.Sprintf("must be a whole number from 1 to %d", maxLimit)})
		}
	}
	if text := query.Get("cursor"); text != "" {
		decoded, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil {
			return nil, invalid(FieldError{"cursor", "cursor", "must be taken from the header Link of the page before"})
		}
		after = string(decoded)
	}
	page := slices.Clone(all)
	page = slices.DeleteFunc(page, func(item T) bool { return key(item) <= after && after != "" })
	slices.SortFunc(page, func(x, y T) int { return cmp.Compare(key(x), key(y)) })
	if len(page) > limit {
		page = page[:limit]
		next := url.Values{
			"limit":  {strconv.Itoa(limit)},
			"cursor": {base64.RawURLEncoding.EncodeToString([]byte(key(page[limit-1])))},
		}
		if q := query.Get("q"); q != "" {
			next.Set("q", q)
		}
		w.Header().Set("Link", fmt.Sprintf("<%s?%s>; rel=\"next\"", r.URL.Path, next.Encode()))
	}
	return page, nil
}
