package main

import (
	"go/scanner"
	"go/token"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"
)

// passage is text that is read in one go: a paragraph of a document, of a comment
// or of a string. Its lines are joined by a space.
type passage struct {
	text   string
	starts []int // where in the text each line begins
	lines  []int // the number of each line in its file
}

func (p *passage) add(line int, text string) {
	if p.text != "" {
		p.text += " "
	}
	p.starts = append(p.starts, len(p.text))
	p.lines = append(p.lines, line)
	p.text += text
}

// lineOf returns the number of the line of the file that a place in the text is on.
func (p *passage) lineOf(place int) int {
	return p.lines[sort.SearchInts(p.starts, place+1)-1]
}

type span struct{ begin, end int }

// sentenceEnd is followed by anything but a small letter, with which "e.g." and the
// like go on.
var sentenceEnd = regexp.MustCompile(`[.!?:]["”’')\]*` + "`" + `]* [^a-z]`)

func (p *passage) sentences() (spans []span) {
	begin := 0
	for _, at := range sentenceEnd.FindAllStringIndex(p.text, -1) {
		space := strings.LastIndexByte(p.text[:at[1]], ' ')
		spans = append(spans, span{begin, space})
		begin = space + 1
	}
	return append(spans, span{begin, len(p.text)})
}

func passagesOf(path string, content []byte) []passage {
	if filepath.Ext(path) == ".go" {
		return passagesOfGo(content)
	}
	return passagesOfText(string(content), 1)
}

// passagesOfGo returns the comments and the string literals of a Go file. Comments
// on consecutive lines belong together, and so do literals that are added up.
func passagesOfGo(content []byte) (all []passage) {
	files := token.NewFileSet()
	file := files.AddFile("", files.Base(), len(content))
	var s scanner.Scanner
	s.Init(file, content, nil, scanner.ScanComments)

	var block, literal strings.Builder // what belongs together, one line for each line of the file
	var blockLine, literalLine int
	flush := func(b *strings.Builder, line int) {
		all = append(all, passagesOfText(b.String(), line)...)
		b.Reset()
	}
	for {
		pos, tok, lit := s.Scan()
		line := file.Line(pos)
		switch {
		case tok == token.COMMENT && block.Len() > 0:
			block.WriteString("\n" + lit)
		case tok == token.COMMENT:
			blockLine = line
			block.WriteString(lit)
		default:
			flush(&block, blockLine)
		}
		switch tok {
		case token.STRING:
			if literal.Len() == 0 {
				literalLine = line
			}
			text, _ := strconv.Unquote(lit)
			if lit[0] == '"' {
				text = strings.NewReplacer("\n", " ", "\t", " ").Replace(text)
			}
			literal.WriteString(text)
		case token.ADD, token.COMMENT:
		default:
			flush(&literal, literalLine)
		}
		if tok == token.EOF {
			return all
		}
	}
}

// marks are what begins a line without being text: comments, quotes, lists.
var marks = regexp.MustCompile(`^\s*(?://+|/\*+|\*+/?|#+|<!--|;|>)? ?`)

var blockEnd = regexp.MustCompile(`\*/|-->`)

// apart are lines that begin a paragraph although none has ended: items of a list,
// rows of a table, members of YAML, indented code in a comment.
var apart = regexp.MustCompile(`^(?:\s*(?:[-*|]|\d+\.)\s|\s*[\w-]+:(?:\s|$)|\t)`)

// passagesOfText returns the paragraphs of a text whose first line has the number
// given. A comment and what it is about are apart.
func passagesOfText(text string, line int) (all []passage) {
	var p passage
	end := func() {
		if p.text != "" {
			all = append(all, p)
		}
		p = passage{}
	}
	wasComment, inBlock := false, false
	for i, l := range strings.Split(text, "\n") {
		mark := marks.FindString(l)
		rest := l[len(mark):]
		isComment := inBlock || strings.TrimSpace(mark) != ""
		inBlock = (inBlock || strings.Contains(mark, "/*") || strings.Contains(mark, "<!")) && !blockEnd.MatchString(l)
		if isComment != wasComment || apart.MatchString(rest) || apart.MatchString(l) && !isComment {
			end()
		}
		wasComment = isComment
		rest = strings.Join(strings.Fields(rest), " ")
		if rest == "" {
			end()
			continue
		}
		p.add(line+i, rest)
	}
	end()
	return all
}
