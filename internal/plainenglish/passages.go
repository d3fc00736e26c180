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

// passage is a paragraph of a document, a comment or a string. A space joins its lines.
type passage struct {
	text   string
	starts []int // the offset of each line in text
	lines  []int // the number of each line in the file
}

func (p *passage) add(line int, text string) {
	if p.text != "" {
		p.text += " "
	}
	p.starts = append(p.starts, len(p.text))
	p.lines = append(p.lines, line)
	p.text += text
}

// lineOf returns the number of the line in the file for an offset in the text.
func (p *passage) lineOf(offset int) int {
	return p.lines[sort.SearchInts(p.starts, offset+1)-1]
}

// span is a piece of a text, between two offsets.
type span struct{ begin, end int }

// sentenceEnd does not match before a small letter: "e.g. this" is one sentence.
var sentenceEnd = regexp.MustCompile(`[.!?:]["”’')\]*` + "`" + `]* [^a-z]`)

// sentences returns the sentences of the passage.
func (p *passage) sentences() (spans []span) {
	begin := 0
	for _, at := range sentenceEnd.FindAllStringIndex(p.text, -1) {
		space := strings.LastIndexByte(p.text[:at[1]], ' ')
		spans = append(spans, span{begin, space})
		begin = space + 1
	}
	return append(spans, span{begin, len(p.text)})
}

// passagesOf returns the passages of a file. The extension says how to read it.
func passagesOf(path string, content []byte) []passage {
	if filepath.Ext(path) == ".go" {
		return passagesOfGo(content)
	}
	return passagesOfText(string(content), 1)
}

// passagesOfGo returns the passages of the comments and string literals in a Go file.
// Comments on consecutive lines belong together, and so do literals joined by "+".
func passagesOfGo(content []byte) (all []passage) {
	files := token.NewFileSet()
	file := files.AddFile("", files.Base(), len(content))
	var s scanner.Scanner
	s.Init(file, content, nil, scanner.ScanComments)

	var block, literal strings.Builder // the comments, and the literals, that belong together
	var blockLine, literalLine int     // where they begin
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

// marks begin a line of a comment or a quotation, and are not part of its text.
var marks = regexp.MustCompile(`^\s*(?://+|/\*+|\*+/?|#+|<!--|;|>)? ?`)

// blockEnd ends a comment of several lines.
var blockEnd = regexp.MustCompile(`\*/|-->`)

// apart matches lines that always begin a new paragraph: items of a list, rows of a
// table, members of YAML, and code in a comment.
var apart = regexp.MustCompile(`^(?:\s*(?:[-*|]|\d+\.)\s|\s*[\w-]+:(?:\s|$)|\t)`)

// passagesOfText returns the passages of a text that begins at this line of its file. A
// comment and the code around it are different passages.
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
