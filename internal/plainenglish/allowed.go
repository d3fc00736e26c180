package main

import (
	_ "embed"
	"fmt"
	"strings"
)

const allowedPath = "internal/plainenglish/allowed.txt"

//go:embed allowed.txt
var allowedText string

// allowed is an entry of allowed.txt.
type allowed struct {
	line        int
	path, piece string // the file, and a piece of a sentence that contains the phrase
	isUsed      bool   // it has allowed a finding
}

// allowList is the content of allowed.txt.
type allowList []*allowed

// parseAllowed reads lines of "path | piece of the sentence | reason".
func parseAllowed(text string) (list allowList, err error) {
	for i, line := range strings.Split(text, "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		fields := strings.Split(line, " | ")
		if len(fields) != 3 || fields[2] == "" {
			return nil, fmt.Errorf("%s:%d: not of the form: path | piece of the sentence | reason", allowedPath, i+1)
		}
		list = append(list, &allowed{line: i + 1, path: fields[0], piece: fields[1]})
	}
	return list, nil
}

// allows reports whether an entry allows a finding.
func (list allowList) allows(f finding) bool {
	for _, a := range list {
		if a.path == f.path && strings.Contains(f.sentence, a.piece) && strings.Contains(a.piece, f.match) {
			a.isUsed = true
			return true
		}
	}
	return false
}

// unused returns the entries that have allowed nothing.
func (list allowList) unused() (unused []*allowed) {
	for _, a := range list {
		if !a.isUsed {
			unused = append(unused, a)
		}
	}
	return unused
}
