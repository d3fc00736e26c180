package decode

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"signaling-server/httpapi/excerpt"
	"signaling-server/httpapi/problem"
)

const (
	// maxDepth is how deep JSON may be nested. Another client must be able to read it, and
	// in some languages parsers give up at a few hundred levels.
	maxDepth = 100
	// maxMembers is how many members an event may have at its top level. Each of them is
	// compared with all that the protocol knows.
	maxMembers = 64
)

// asWritten accepts all that is JSON, also repeated members: they are the sender's
// business, unless bind knows them. It refuses text that is not UTF-8, and escapes of
// lone surrogates.
var asWritten = json.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(false))

// Document is a JSON value that is known to be valid, without white space around it. It
// shares the memory of the body, unless the body has lone surrogates.
type Document struct{ text jsontext.Value }

// ParseDocument checks that a body is one JSON value, in UTF-8 and nested at most 100
// levels deep. In the document, each lone surrogate is U+FFFD. The body itself does not
// change.
func ParseDocument(body []byte) (Document, error) {
	if bytes.Contains(body, []byte(`\u`)) {
		if repaired, isRepaired := withoutLoneSurrogates(body); isRepaired {
			body = repaired
		}
	}
	isShallow := bytes.Count(body, []byte("{"))+bytes.Count(body, []byte("[")) <= maxDepth
	if !isShallow || !jsontext.Value(body).IsValid(asWritten) {
		if err := examine(body); err != nil {
			return Document{}, err
		}
	}
	return Document{bytes.Trim(body, " \t\r\n")}, nil
}

// examine finds what is wrong with a body, if anything is.
func examine(body []byte) error {
	depth, _, open := survey(body)
	switch {
	case depth > maxDepth:
		return problem.MalformedJSON.With(fmt.Sprintf("The JSON is nested more than %d levels deep.", maxDepth))
	case open > 0:
		return incomplete() // the decoder would read up to the end to find this, and copy each member's name
	}
	if err := json.Unmarshal(body, &anyValue{}, asWritten); err != nil {
		return malformed(err)
	}
	return nil
}

// anyValue is decoded from any JSON value, and keeps nothing of it.
type anyValue struct{}

// UnmarshalJSONFrom implements [json.UnmarshalerFrom].
func (*anyValue) UnmarshalJSONFrom(decoder *jsontext.Decoder) error {
	_, err := decoder.ReadValue()
	return err
}

// malformed returns the problem of a body that is not JSON. Its detail names the byte
// at which it goes wrong, unless the body only ends too early.
func malformed(err error) *problem.Problem {
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return problem.MalformedJSON.With(fmt.Sprintf("At byte %d: %s.", syntax.ByteOffset, excerpt.Of(syntax.Err.Error())))
	}
	return incomplete()
}

func incomplete() *problem.Problem {
	return problem.MalformedJSON.With("The JSON value is incomplete.")
}

// member is one member of a JSON object. It shares the memory of the object.
type member struct {
	rawName    jsontext.Value // a string
	value      jsontext.Value
	start, end int  // its place in the object
	isCompact  bool // there is no white space in it, except in strings
}

// name returns the member's name without quotes and escapes. If there are escapes, the
// result takes as much memory again, so it should be called once.
func (m member) name() []byte { return unquoted(m.rawName) }

// isNamed reports whether the member has a certain name. It takes no memory for a name that
// is too long.
func (m member) isNamed(name string) bool {
	return len(m.rawName) <= len(`""`)+escapeLength*len(name) && string(m.name()) == name
}

// What is wrong with an event as a whole.
var (
	mustBeObject   = problem.Field("", "object", "must be a JSON object")
	tooManyMembers = problem.Field("", "max", fmt.Sprintf("must have %d members at most", maxMembers))
)

// checkObject returns a problem if the document is not an object, or has too many members.
func (d Document) checkObject() error {
	switch {
	case d.text.Kind() != '{':
		return problem.Invalid(mustBeObject)
	case countUpTo(maxMembers+1, membersOf(d.text)) > maxMembers:
		return problem.Invalid(tooManyMembers)
	}
	return nil
}

// SplitText splits an object into the text of one member, and the object without that
// member. The text is empty if the member is missing, repeated, or not a string.
func (d Document) SplitText(name string) (text string, rest []byte, err error) {
	if err := d.checkObject(); err != nil {
		return "", nil, err
	}
	rest = append(make([]byte, 0, len(d.text)), '{')
	count := 0
	for m := range membersOf(d.text) {
		switch {
		case !m.isNamed(name):
			if len(rest) > len("{") {
				rest = append(rest, ',')
			}
			rest = appendCompact(rest, d.text[m.start:m.end])
			continue
		case m.value.Kind() == '"':
			text = string(unquoted(m.value))
		}
		count++
	}
	if count > 1 {
		text = ""
	}
	return text, append(rest, '}'), nil
}

// memberList is members of an object as JSON, without white space and braces. While they
// stand side by side in the object, without white space, the list shares their memory.
type memberList struct {
	text []byte
	end  int // of the members in the object; -1 if the text is a copy
}

// add adds a member that stands behind the others.
func (l *memberList) add(object Document, m member) {
	switch {
	case m.isCompact && len(l.text) == 0:
		l.text, l.end = object.text[m.start:m.end:m.end], m.end
	case m.isCompact && m.start == l.end+len(","):
		l.text, l.end = object.text[l.end-len(l.text):m.end:m.end], m.end
	default:
		if l.end >= 0 {
			l.text, l.end = append(make([]byte, 0, len(object.text)), l.text...), -1
		}
		if len(l.text) > 0 {
			l.text = append(l.text, ',')
		}
		l.text = appendCompact(l.text, object.text[m.start:m.end])
	}
}
