package decode

import (
	"errors"
	"reflect"
	"strings"
	"unicode"

	"signaling-server/httpapi/problem"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/go-playground/validator/v10"
)

var validator10 = newValidator()

// newValidator makes the validator that knows the protocol's own rules.
func newValidator() *validator.Validate {
	v := validator.New(validator.WithRequiredStructEnabled())
	v.RegisterTagNameFunc(func(f reflect.StructField) string { return f.Tag.Get("json") })
	rules := map[string]validator.Func{
		"name":      func(f validator.FieldLevel) bool { return IsName(f.Field().String()) },
		"object":    func(f validator.FieldLevel) bool { return jsontext.Value(f.Field().Bytes()).Kind() == '{' },
		"text":      func(f validator.FieldLevel) bool { return isText(f.Field().Bytes()) },
		"candidate": func(f validator.FieldLevel) bool { return isCandidate(f.Field().Bytes()) },
	}
	for tag, rule := range rules {
		if err := v.RegisterValidation(tag, rule); err != nil {
			panic(err) // only for an empty tag or a missing rule
		}
	}
	return v
}

// IsName reports whether a text can be shown as a name: something of it can be
// seen, and nothing in it breaks a line or turns the direction of what follows.
func IsName(text string) bool {
	isVisible := func(r rune) bool { return unicode.IsGraphic(r) && !unicode.IsSpace(r) }
	isTroublesome := func(r rune) bool {
		return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || unicode.Is(unicode.Bidi_Control, r)
	}
	return strings.ContainsFunc(text, isVisible) && !strings.ContainsFunc(text, isTroublesome)
}

// isText tells whether a value is a string that is not empty.
func isText(value jsontext.Value) bool { return value.Kind() == '"' && len(value) > len(`""`) }

// isCandidate tells whether a value is an RTCIceCandidateInit, or the null that
// ends the candidates.
func isCandidate(value jsontext.Value) bool {
	var candidate CandidateInit
	switch value.Kind() {
	case 'n':
		return true
	case '{':
		err := json.Unmarshal(value, &candidate, asWritten)
		return err == nil && (candidate.Candidate == nil || candidate.Candidate.Kind() == '"')
	}
	return false
}

// validate checks an event's fields against the rules in their tags.
func validate(event any) (wrong []problem.FieldError) {
	err := validator10.Struct(event)
	if err == nil {
		return nil
	}
	var broken validator.ValidationErrors
	if !errors.As(err, &broken) {
		panic(err) // only for what is no struct
	}
	for _, b := range broken {
		wrong = append(wrong, problem.Field(fieldPath(b), b.Tag(), ruleMessage(b)))
	}
	return wrong
}

// fieldPath is a field's path in the JSON: the namespace without the names of
// our types in it.
func fieldPath(b validator.FieldError) string {
	var path []string
	for _, name := range strings.Split(b.Namespace(), ".")[1:] {
		if name != "" && name != "relayed" && name != "posted" {
			path = append(path, name)
		}
	}
	return strings.Join(path, ".")
}

// ruleMessage says what a field must be to follow the rule that it breaks.
func ruleMessage(b validator.FieldError) string {
	switch b.Tag() {
	case "required":
		return "is required"
	case "min":
		return "must not be empty"
	case "max":
		if b.Kind() == reflect.String {
			return "must have " + b.Param() + " characters at most"
		}
		return "must have " + b.Param() + " bytes of JSON at most"
	case "eq":
		return `must be "` + b.Param() + `"`
	case "oneof":
		return `must be "` + strings.ReplaceAll(b.Param(), " ", `" or "`) + `"`
	case "name":
		return "must be visible, without control characters, line ends or changes of direction"
	case "text":
		return "must be a string that is not empty"
	case "object":
		return "must be a JSON object"
	case "candidate":
		return "must be an RTCIceCandidateInit (what RTCIceCandidate's toJSON() returns), or null"
	}
	return "breaks the rule " + b.Tag()
}
