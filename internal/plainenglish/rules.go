package main

import (
	"fmt"
	"regexp"
	"strings"
)

// rule is a phrase, and what to write instead.
type rule struct {
	pattern *regexp.Regexp // if it has groups, the group is the phrase
	except  *regexp.Regexp // a phrase that matches this too is right; may be nil
	advice  string
}

// rules apply to one sentence at a time.
var rules = []rule{
	{
		pattern: regexp.MustCompile(`(?i)\b(?:tells?|told|telling) whether\b`),
		advice:  "write “reports whether”",
	}, {
		pattern: regexp.MustCompile(`(?i)\b(?:to be|is|are|was|were) had\b`),
		advice:  "write “get”, or say who gets it",
	}, {
		pattern: regexp.MustCompile(`: (who) |^(Who)\b.*[.:;]$|\b[Ww]hoever\b|\bnobody who\b`),
		advice:  "say who it is: “a client that …”",
	}, {
		pattern: regexp.MustCompile(`\b(?:[Hh]e|[Hh]is|[Hh]im)\b`),
		advice:  "write “it” for a machine, “they” for a person",
	}, {
		pattern: regexp.MustCompile(`(?i)\bof (?:whom|which)\b`),
		advice:  "make it a sentence of its own, or repeat the noun",
	}, {
		pattern: regexp.MustCompile(`(?i)\bsuch(?:[.,;:)]|$)|\b(?:is|are|be|was) such\b`),
		advice:  "repeat the noun",
	}, {
		pattern: regexp.MustCompile(`(?i)\b(?:is|are|be|been|being|was|were) told\b`),
		advice:  "write “receives” or “is sent”, or say who tells it",
	}, {
		pattern: regexp.MustCompile(`(?i)(?:\bthere )?\b(?:is|are|was|were) no\b(?: longer)?`),
		except:  regexp.MustCompile(`(?i)^there |longer$`),
		advice:  "write “is not a …”, or “has no …”",
	}, {
		pattern: regexp.MustCompile(`^(Where)\b.*[.:;]$|(?:\w+ |\W )?\bwhere (?:an?|it|there|no|none|nothing|nobody|one|they)\b`),
		except:  regexp.MustCompile(`^(?i:is|are|was|were|stays?|from|to|of|says?|tells?|returns?|knows?|shows?|sees?|place|on) where`),
		advice:  "write “if” or “when”; “where” is for a place",
	}, {
		pattern: regexp.MustCompile(`, (should) (?:an?|the|it|they|there|one|this|that|any|no|some)\b|^(Should)\b.*[.:;]$|\bwere (?:it|he|they)\b`),
		advice:  "write “if”, and the subject first",
	}, {
		pattern: regexp.MustCompile(`(?i)\bthe ones?\b|\bthat of which\b`),
		advice:  "repeat the noun; if you mean that there is no other, write “the only …”",
	},
}

// maxWords is how many words a sentence may have. Our rule is about 25 words. The check
// finds only sentences that are far longer. It skips sentences with code, tables or
// drawings.
const maxWords = 35

var notProse = regexp.MustCompile("[{}=<│─|]|\\w\\(|;$|```")

// finding is a phrase, or a long sentence, in a file.
type finding struct {
	path     string
	line     int
	match    string
	sentence string
	advice   string
}

// findings returns all findings in a file.
func findings(path string, content []byte) (found []finding) {
	for _, p := range passagesOf(path, content) {
		for _, s := range p.sentences() {
			for _, m := range matchesIn(p.text[s.begin:s.end]) {
				found = append(found, finding{
					path:     path,
					line:     p.lineOf(s.begin + m.begin),
					match:    p.text[s.begin+m.begin : s.begin+m.end],
					sentence: p.text[s.begin:s.end],
					advice:   m.advice,
				})
			}
		}
	}
	return found
}

// match is a piece of a sentence, and what to write instead.
type match struct {
	span
	advice string
}

// matchesIn returns the phrases in a sentence. If the sentence is too long, its beginning
// is a match as well.
func matchesIn(sentence string) (found []match) {
	for _, r := range rules {
		for _, at := range r.pattern.FindAllStringSubmatchIndex(sentence, -1) {
			m := match{groupOf(at), r.advice}
			if r.except == nil || !r.except.MatchString(sentence[m.begin:m.end]) {
				found = append(found, m)
			}
		}
	}
	if words := strings.Fields(sentence); len(words) > maxWords && !notProse.MatchString(sentence) {
		beginning := len(strings.Join(words[:5], " "))
		found = append(found, match{span{0, beginning}, fmt.Sprintf("%d words: make two sentences of it", len(words))})
	}
	return found
}

// groupOf returns the group that has matched, or the whole match if there is none.
func groupOf(indexes []int) span {
	for i := 2; i < len(indexes); i += 2 {
		if indexes[i] >= 0 {
			return span{indexes[i], indexes[i+1]}
		}
	}
	return span{indexes[0], indexes[1]}
}
