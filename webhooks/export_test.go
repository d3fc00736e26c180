package webhooks

// What tests need to see.
var (
	ReadJournal = readJournal
	Sign        = sign
)

const (
	LongestPause = longestPause
	AnswerWithin = answerWithin
)
