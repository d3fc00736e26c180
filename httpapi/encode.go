package httpapi

import (
	"bytes"
	"encoding/json"
)

// marshal encodes a document of an answer as JSON. All answers are made here.
//
// The characters <, > and & stay as they are. No browser takes JSON for HTML (see
// the header X-Content-Type-Options), and as escapes each would be six bytes: a
// client could make us send, and keep, six times what it sends.
func marshal(document any) ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(document); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(text.Bytes(), []byte("\n")), nil
}
