// Package client lets services and bots in Go take part in the rooms of a signaling
// server.
//
//	c, err := client.Dial(ctx, "https://signaling.example.com")
//	if err != nil {
//		return err
//	}
//	defer c.Close()
//	for event, err := range c.Events() {
//		switch e := event.(type) {
//		case client.ConnectedEvent: // first, and whenever the socket could not be resumed
//			err = c.Join(ctx, "lobby", "bot")
//		case client.OfferEvent:
//			err = c.Send(ctx, client.AnswerMessage{Target: e.From, Answer: answerTo(e.Offer)})
//		}
//		if err != nil {
//			log.Print(err)
//		}
//	}
//
// # What it does for you
//
// Events arrive once each and in order. If a stream drops, or brings no heartbeat in
// time, the client opens it again and continues after the last event.
// If a stream brings nothing at all, the client fetches the same events by long
// polling. Messages that you send while a request is under way go together in the
// next request. That keeps their order, and a call costs few requests. If the answer
// to a request is lost, the client repeats the request with the same
// Idempotency-Key, so that nothing is done twice. Each request also confirms the events
// that your loop has taken, so that the server need not keep them. A client with a stream
// sends heartbeats. So its room learns when it is gone, even if a proxy keeps its stream.
//
// # What it leaves to you
//
// A socket that was away for longer than the resume window has ended, and has left
// its room. The client then opens a new socket and returns a [ConnectedEvent]. Join a
// room when you get that event, as above: then a bot comes back by itself.
//
// Only your loop over Events reads the stream. If you stop ranging, the stream stalls
// and the server ends it as a slow consumer.
//
// The types have the names and the members that the server's openapi.yaml gives them.
// Members that an application adds to offers, answers and candidates are in Extra.
package client
