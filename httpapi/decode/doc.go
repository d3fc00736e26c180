// Package decode turns the body of a request into typed events that are valid.
// Whatever is wrong with a body is a [problem.Problem].
//
//	body ─▶ ParseDocument ─▶ Document ─▶ Vocabulary.Read ─▶ *Offer, *JoinRoom, …
//	body ─▶ ParseBatch ─▶ Batch ─▶ Document, one after the other
//
// A body is parsed once. What one client sends to another stays JSON as it was
// written; only the white space between its tokens goes. All that is JSON in an
// event may share the memory of the body: copy what you keep. The functions may be
// called by several goroutines at once.
package decode
