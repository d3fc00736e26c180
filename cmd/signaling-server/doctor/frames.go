package doctor

import (
	"bufio"
	"bytes"
	"io"
	"iter"
)

// maxLine is how long a line of a stream may be.
const maxLine = 1 << 20

// frame is one event of a stream.
type frame struct {
	id   string
	data []byte
}

// frames reads the events of a stream (WHATWG HTML, 9.2.6) that have data. The last error
// is io.EOF if the stream ends.
func frames(body io.Reader) iter.Seq2[frame, error] {
	return func(yield func(frame, error) bool) {
		lines := bufio.NewScanner(body)
		lines.Buffer(nil, maxLine)
		var got frame
		var data [][]byte
		for lines.Scan() {
			line := lines.Bytes()
			if len(line) == 0 {
				if got.data = bytes.Join(data, []byte("\n")); data != nil && !yield(got, nil) {
					return
				}
				got, data = frame{}, nil
				continue
			}
			field, value, _ := bytes.Cut(line, []byte(":"))
			value = bytes.TrimPrefix(value, []byte(" "))
			switch string(field) {
			case "id":
				got.id = string(value)
			case "data":
				data = append(data, bytes.Clone(value))
			}
		}
		err := lines.Err()
		if err == nil {
			err = io.EOF
		}
		yield(frame{}, err)
	}
}
