package httpapi_test

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// shape is a type of TypeScript. Its text does not depend on how the type was written: names
// are replaced by their types, and members and alternatives are sorted.
type shape struct {
	text   string
	fields map[string]shape // the members of an object, or of an object or null; the name of an optional member ends with "?"
	tuples []shape          // for a union of tuples: each tuple as the object that emit makes from it
}

func objectOf(fields map[string]shape) shape {
	s := shape{fields: fields}
	s.text = s.members().String()
	return s
}

func (s shape) members() members {
	all := make(members)
	for name, field := range s.fields {
		all[name] = field.text
	}
	return all
}

// typings are the types in declaration files. Each is parsed only when it is asked for.
type typings struct {
	t       *testing.T
	written map[string]string
}

var (
	comment       = regexp.MustCompile(`(?s)/\*.*?\*/`)
	object        = regexp.MustCompile(`(?ms)^export (?:interface|class) (\w+)(?: extends (\w+))? (\{\n.*?^\})`)
	alias         = regexp.MustCompile(`(?m)^(?:export )?type (\w+) = ([^;\n]+);$`)
	token         = regexp.MustCompile(`"[^"]*"|\w+|[^\s\w]`)
	anythingNamed = "Record<string, unknown>"
)

func readTypings(t *testing.T, files ...string) typings {
	t.Helper()
	all := typings{t, make(map[string]string)}
	for _, file := range files {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		text := comment.ReplaceAllString(string(content), "")
		for _, match := range object.FindAllStringSubmatch(text, -1) {
			all.written[match[1]] = strings.TrimPrefix(match[2]+" & "+match[3], " & ")
		}
		for _, match := range alias.FindAllStringSubmatch(text, -1) {
			all.written[match[1]] = match[2]
		}
	}
	return all
}

func (ts typings) shapeOf(name string) shape {
	ts.t.Helper()
	require.Contains(ts.t, ts.written, name)
	reader := typeReader{ts, token.FindAllString(ts.written[name], -1)}
	s := reader.union()
	require.Empty(ts.t, reader.tokens, name)
	return s
}

// typeReader parses the part of TypeScript that our declarations use.
type typeReader struct {
	typings
	tokens []string
}

func (r *typeReader) next() string {
	require.NotEmpty(r.t, r.tokens)
	first := r.tokens[0]
	r.tokens = r.tokens[1:]
	return first
}

func (r *typeReader) accept(token string) bool {
	if len(r.tokens) == 0 || r.tokens[0] != token {
		return false
	}
	r.tokens = r.tokens[1:]
	return true
}

func (r *typeReader) expect(token string) { require.Equal(r.t, token, r.next()) }

func (r *typeReader) union() shape {
	first := r.intersection()
	all := []shape{first}
	for r.accept("|") {
		all = append(all, r.intersection())
	}
	if len(all) == 1 {
		return first
	}
	union := shape{text: oneOf(all, func(s shape) string { return s.text })}
	if len(all) == 2 && all[1].text == "null" {
		union.fields = first.fields
	}
	for _, each := range all {
		union.tuples = append(union.tuples, each.tuples...)
	}
	return union
}

func (r *typeReader) intersection() shape {
	all := r.array()
	for r.accept("&") {
		all = merged(all, r.array())
	}
	return all
}

// merged returns an object with the members of both. A Record stands for members of any
// name.
func merged(one, other shape) shape {
	all := make(map[string]shape)
	for _, each := range []shape{one, other} {
		maps.Copy(all, each.fields)
		if each.text == anythingNamed {
			all[others] = shape{text: "unknown"}
		}
	}
	return objectOf(all)
}

func (r *typeReader) array() shape {
	item := r.single()
	for r.accept("[") {
		r.expect("]")
		item = shape{text: item.text + "[]"}
	}
	return item
}

func (r *typeReader) single() shape {
	switch first := r.next(); {
	case first == "{":
		return objectOf(r.object())
	case first == "[":
		return shape{tuples: []shape{r.tuple()}}
	case first == "(":
		inner := r.union()
		r.expect(")")
		return inner
	case r.accept("<"):
		text := first + "<" + r.union().text
		for r.accept(",") {
			text += ", " + r.union().text
		}
		r.expect(">")
		return shape{text: text + ">"}
	default:
		if _, ok := r.written[first]; ok {
			return r.shapeOf(first)
		}
		return shape{text: first}
	}
}

func (r *typeReader) object() map[string]shape {
	all := make(map[string]shape)
	for !r.accept("}") {
		name := strings.Trim(r.next(), `"`)
		if r.accept("?") {
			name += "?"
		}
		r.expect(":")
		all[name] = r.union()
		r.accept(";")
	}
	return all
}

// tuple reads the arguments of emit, and returns the object that emit makes from them. An
// argument that is an object adds its members. Any other argument adds one member with its
// own name.
func (r *typeReader) tuple() shape {
	all := make(map[string]shape)
	for !r.accept("]") {
		name := ""
		if r.tokens[0] != "{" && slices.Contains(r.tokens[1:3], ":") {
			name = r.next()
			r.accept("?")
			r.expect(":")
		}
		if argument := r.union(); argument.fields != nil {
			maps.Copy(all, argument.fields)
		} else {
			all[name] = argument
		}
		r.accept(",")
	}
	return objectOf(all)
}
