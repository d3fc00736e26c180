package webhooks

// What tests need to see.
var (
	ReadJournal = readJournal
	Sign        = sign
)

const (
	FirstPause   = firstPause
	LongestPause = longestPause
	AnswerWithin = answerWithin
)
