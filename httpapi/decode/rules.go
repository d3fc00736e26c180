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
// valid event that takes longer than all other decoding. So the tags of each type are
// also compiled into one rule. The validator is asked only about an event that breaks
// the rule: it names what is wrong, and has the last word.

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

// compileStruct makes a rule of the tags of a struct.
func compileStruct(t reflect.Type) rule {
	var rules []rule
	for i := range t.NumField() {
		field := t.Field(i)
		keeps := compileTag(field.Tag.Get("validate"))
		if field.Type.Kind() == reflect.Struct {
			keeps = all([]rule{keeps, compileStruct(field.Type)})
		}
		rules = append(rules, func(v reflect.Value) bool { return keeps(v.Field(i)) })
	}
	return all(rules)
}

// compileTag makes a rule of a field's tag.
func compileTag(tag string) rule {
	if rest, isOptional := strings.CutPrefix(tag, "omitempty,"); isOptional {
		keeps := compileTag(rest)
		return func(v reflect.Value) bool { return v.IsZero() || keeps(reflect.Indirect(v)) }
	}
	var rules []rule
	for part := range strings.SplitSeq(tag, ",") {
		if part != "" {
			rules = append(rules, compileRule(part))
		}
	}
	return all(rules)
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

// all makes one rule of several.
func all(rules []rule) rule {
	if len(rules) == 1 {
		return rules[0]
	}
	return func(v reflect.Value) bool {
		for _, keeps := range rules {
			if !keeps(v) {
				return false
			}
		}
		return true
	}
}
