package decode

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/go-playground/validator/v10"
	"github.com/stretchr/testify/require"
)

// The compiled rules say yes to exactly those events that the validator accepts. Each field
// of each event gets many values, while the other fields stay valid, and breaks each rule
// of its tag.
func TestTheCompiledRulesJudgeAsTheValidatorDoes(t *testing.T) {
	bodies := map[string]string{
		"join-room":     joinBody,
		"offer":         offerBody,
		"answer":        `{"type":"answer","target":"x","answer":{"type":"answer","sdp":"x"}}`,
		"ice-candidate": candidateBody,
		"signal":        signalBody,
		"send-message":  `{"type":"send-message","message":"x"}`,
		"announcement":  `{"type":"announcement","data":1}`,
	}
	values := valuesToTry()
	for _, vocabulary := range []Vocabulary{ClientEvents, OperatorEvents} {
		for name, of := range vocabulary {
			body := bodies[name]
			if body == "" {
				body = `{"type":"` + name + `"}`
			}
			_, event, err := vocabulary.Decode([]byte(body))
			require.NoError(t, err)
			whole := reflect.ValueOf(event).Elem()
			require.True(t, keepsAll(whole, of.rules), name)
			for _, f := range taggedFields(whole, "") {
				broken := make(map[string]bool)
				was := reflect.New(f.Type()).Elem()
				was.Set(f.Value)
				for _, value := range append(values[f.Type()], reflect.Zero(f.Type())) {
					f.Set(value)
					err := validator10.Struct(event)
					require.Equal(t, err == nil, keepsAll(whole, of.rules), "%s of %s is %q: %v", f.path, name, reflect.Indirect(value), err)
					var wrong validator.ValidationErrors
					errors.As(err, &wrong)
					for _, w := range wrong {
						broken[w.Tag()] = true
					}
				}
				f.Set(was)
				for rule := range strings.SplitSeq(strings.TrimPrefix(f.tag, "omitempty,"), ",") {
					rule, _, _ = strings.Cut(rule, "=")
					require.True(t, rule == "" || broken[rule], "no value of %s of %s breaks the rule %q", f.path, name, rule)
				}
			}
		}
	}
}

// valuesToTry returns values for fields, by the type of the field.
func valuesToTry() map[reflect.Type][]reflect.Value {
	values := make(map[reflect.Type][]reflect.Value)
	add := func(value any) {
		values[reflect.TypeOf(value)] = append(values[reflect.TypeOf(value)], reflect.ValueOf(value))
	}
	texts := []string{"", " ", "A b", "é", "a\u202e", "\u200b", "\x00", "\xff", "offer", "Offer", "answer", "pranswer", "answer pranswer"}
	for _, letter := range []string{"a", "é", "👩"} {
		for _, length := range []int{63, 64, 65, 127, 128, 129, 4095, 4096, 4097} {
			texts = append(texts, strings.Repeat(letter, length))
		}
	}
	for _, text := range texts {
		add(text)
		add(new(text))
	}
	for _, text := range []string{
		`null`, `true`, `0`, `""`, `"a"`, `"\n"`, `[]`, `{}`, `{"a":[1]}`,
		`{"a":"` + strings.Repeat("é", 2044) + `"}`, `{"a":"` + strings.Repeat("é", 2044) + `a"}`, // 4096 bytes, and 4097
		`{"sdpMid":0}`, `{"sdpMid":null}`, `{"candidate":null}`, `{"candidate":7,"candidate":""}`, `{"sdpMLineIndex":65536}`,
	} {
		add(jsontext.Value(text))
	}
	return values
}

// taggedField is a field of an event, or of an object in it.
type taggedField struct {
	reflect.Value
	path, tag string
}

func taggedFields(object reflect.Value, prefix string) (fields []taggedField) {
	for _, f := range reflect.VisibleFields(object.Type()) {
		name := f.Tag.Get("json")
		if name == "" {
			continue
		}
		field := object.FieldByIndex(f.Index)
		fields = append(fields, taggedField{field, prefix + name, f.Tag.Get("validate")})
		if field.Kind() == reflect.Struct {
			fields = append(fields, taggedFields(field, prefix+name+".")...)
		}
	}
	return fields
}
