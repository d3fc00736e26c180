package decode

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// The tags of an event's fields have the rules, and the validator judges by them. For a
// valid event that takes a quarter of the time of decoding. So the tags are also compiled,
// once for each type. The validator is asked only about an event that breaks a compiled
// rule: it names what is wrong, and has the last word.

// rule reports whether a value is certainly valid.
type rule func(reflect.Value) bool

// ownRules are the rules that the validator does not have by itself.
var ownRules = map[string]rule{
	"name":      func(v reflect.Value) bool { return WrongWithName(v.String()) == "" },
	"visible":   func(v reflect.Value) bool { return IsVisible(v.String()) },
	"object":    func(v reflect.Value) bool { return jsontext.Value(v.Bytes()).Kind() == '{' },
	"text":      func(v reflect.Value) bool { return isText(v.Bytes()) },
	"candidate": func(v reflect.Value) bool { return wrongWithCandidate(v.Bytes()) == "" },
}

// compile makes rules of the tags of a struct.
func compile(t reflect.Type) (rules []rule) {
	for i := range t.NumField() {
		field := t.Field(i)
		inField := compileTag(field.Tag.Get("validate"))
		if field.Type.Kind() == reflect.Struct {
			inField = append(inField, compile(field.Type)...)
		}
		if len(inField) > 0 {
			rules = append(rules, func(v reflect.Value) bool { return keepsAll(v.Field(i), inField) })
		}
	}
	return rules
}

// compileTag makes rules of a field's tag.
func compileTag(tag string) (rules []rule) {
	if tag == "" {
		return nil
	}
	if rest, isOptional := strings.CutPrefix(tag, "omitempty,"); isOptional {
		rules := compileTag(rest)
		return []rule{func(v reflect.Value) bool { return v.IsZero() || keepsAll(reflect.Indirect(v), rules) }}
	}
	for part := range strings.SplitSeq(tag, ",") {
		rules = append(rules, compileRule(part))
	}
	return rules
}

// compileRule makes a rule of a part of a tag, such as max=128. It leaves a rule that it
// does not know to the validator.
func compileRule(part string) rule {
	name, parameter, _ := strings.Cut(part, "=")
	number, _ := strconv.Atoi(parameter)
	switch name {
	case "required":
		return func(v reflect.Value) bool { return !v.IsZero() }
	case "min":
		return func(v reflect.Value) bool { return lengthOf(v) >= number }
	case "max":
		return func(v reflect.Value) bool { return lengthOf(v) <= number }
	case "eq":
		return func(v reflect.Value) bool { return v.String() == parameter }
	case "oneof":
		choices := strings.Fields(parameter)
		return func(v reflect.Value) bool { return slices.Contains(choices, v.String()) }
	}
	if own := ownRules[name]; own != nil {
		return own
	}
	return func(reflect.Value) bool { return false }
}

// lengthOf returns how many characters a text has, or how many bytes JSON has.
func lengthOf(v reflect.Value) int {
	if v.Kind() == reflect.String {
		return utf8.RuneCountInString(v.String())
	}
	return v.Len()
}

func keepsAll(v reflect.Value, rules []rule) bool {
	for _, keeps := range rules {
		if !keeps(v) {
			return false
		}
	}
	return true
}
