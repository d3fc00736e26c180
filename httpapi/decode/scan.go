package decode

import (
	"bytes"
	"iter"

	"github.com/go-json-experiment/json/jsontext"
)

// The functions in this file read JSON that is known to be valid (see [ParseDocument]).
// They find where values begin and end. They check nothing, and allocate nothing except
// for their results.

// membersOf yields the members of an object.
func membersOf(object jsontext.Value) iter.Seq[member] {
	return func(yield func(member) bool) {
		for at := afterSpace(object, 1); object[at] != '}'; {
			nameEnd, _ := valueEnd(object, at)
			start := afterSpace(object, afterSpace(object, nameEnd)+len(":"))
			end, isCompact := valueEnd(object, start)
			isCompact = isCompact && start == nameEnd+len(":")
			if !yield(member{object[at:nameEnd], object[start:end:end], at, end, isCompact}) {
				return
			}
			at = nextItem(object, end)
		}
	}
}

// valuesOf yields the values of an array as they were written.
func valuesOf(array jsontext.Value) iter.Seq[jsontext.Value] {
	return func(yield func(jsontext.Value) bool) {
		for at := afterSpace(array, 1); array[at] != ']'; {
			end, _ := valueEnd(array, at)
			if !yield(array[at:end:end]) {
				return
			}
			at = nextItem(array, end)
		}
	}
}

// nextItem returns the start of the item that follows an item's end. After the last
// item it returns the place of the closing bracket.
func nextItem(text []byte, end int) int {
	at := afterSpace(text, end)
	if text[at] == ',' {
		at = afterSpace(text, at+1)
	}
	return at
}

// afterSpace skips white space.
func afterSpace(text []byte, at int) int {
	for at < len(text) && isSpace(text[at]) {
		at++
	}
	return at
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// valueEnd returns the end of the value that begins at a place, and reports whether the
// value has no white space between its tokens.
func valueEnd(text []byte, at int) (end int, isCompact bool) {
	switch text[at] {
	case '"':
		return at + 1 + stringLength(text[at+1:]), true
	case '{', '[':
		return bracketEnd(text, at)
	}
	for at < len(text) && !isDelimiter(text[at]) {
		at++
	}
	return at, true
}

func isDelimiter(c byte) bool { return isSpace(c) || c == ',' || c == ']' || c == '}' }

// bracketEnd is [valueEnd] for an object or an array.
func bracketEnd(text []byte, at int) (end int, isCompact bool) {
	isCompact = true
	for level := 0; ; at++ {
		switch text[at] {
		case '{', '[':
			level++
		case '}', ']':
			if level--; level == 0 {
				return at + 1, isCompact
			}
		case ' ', '\t', '\r', '\n':
			isCompact = false
		case '"':
			at += stringLength(text[at+1:])
		}
	}
}

// stringLength returns the length of a string whose opening quote is cut off. The closing
// quote counts.
func stringLength(text []byte) int {
	for i := 0; ; {
		quote := bytes.IndexByte(text[i:], '"')
		if quote < 0 {
			return len(text)
		}
		i += quote + 1
		backslashes := 0
		for end := i - 2; end-backslashes >= 0 && text[end-backslashes] == '\\'; {
			backslashes++
		}
		if backslashes%2 == 0 {
			return i
		}
	}
}

// survey returns how deep JSON is nested, how many bytes of white space are between its
// tokens, and how many brackets are still open at its end. For text that is not JSON the
// numbers may be wrong. That does no harm, because the text is refused anyway.
func survey(text []byte) (depth, spaces, open int) {
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '{', '[':
			open++
			depth = max(depth, open)
		case '}', ']':
			open--
		case ' ', '\t', '\r', '\n':
			spaces++
		case '"':
			i += stringLength(text[i+1:])
		}
	}
	return depth, spaces, open
}

// appendCompact appends a JSON value without insignificant white space. The rest stays
// as it was written.
func appendCompact(line []byte, value jsontext.Value) []byte {
	for at := 0; at < len(value); {
		start := at
		for at < len(value) && !isSpace(value[at]) {
			if value[at] == '"' {
				at += stringLength(value[at+1:])
			}
			at++
		}
		line = append(line, value[start:at]...)
		at = afterSpace(value, at)
	}
	return line
}

// compact returns a JSON value without insignificant white space. If it has none, the
// result shares its memory.
func compact(value jsontext.Value) jsontext.Value {
	_, spaces, _ := survey(value)
	if spaces == 0 {
		return value
	}
	return appendCompact(make([]byte, 0, len(value)-spaces), value)
}

// unquoted returns a JSON string without its quotes and escapes. If the string has no
// escapes, the result shares its memory.
func unquoted(quoted jsontext.Value) []byte {
	if inside := quoted[1 : len(quoted)-1]; bytes.IndexByte(inside, '\\') < 0 {
		return inside
	}
	text, err := jsontext.AppendUnquote(nil, quoted)
	if err != nil {
		panic(err) // impossible: the JSON is known to be valid
	}
	return text
}
