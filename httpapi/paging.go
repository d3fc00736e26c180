package httpapi

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"signaling-server/sse"
)

// maxLimit is the largest page that can be asked for.
const maxLimit = 1000

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
		w.Header().Set("Link", fmt.Sprintf("<%s?%s>; rel=\"next\"", r.URL.Path, next.Encode()))
	}
	return page, nil
}

// connectionOrder sorts sockets by age.
func connectionOrder(s sse.Info) string {
	return fmt.Sprintf("%020d.%s", s.ConnectedAt.UnixNano(), s.SocketID)
}
