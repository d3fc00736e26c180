// Package client is for services and bots in Go that take part in the rooms of a
// signaling server.
//
//	c, err := client.Dial(ctx, "https://signaling.example.com")
//	if err != nil {
//		return err
//	}
//	defer c.Close()
//	for event, err := range c.Events() {
//		switch e := event.(type) {
//		case client.ConnectedEvent: // at first, and whenever the socket could not be resumed
//			err = c.Join(ctx, "lobby", "bot")
//		case client.OfferEvent:
//			err = c.Send(ctx, client.AnswerMessage{Target: e.From, Answer: answerTo(e.Offer)})
//		}
//		if err != nil {
//			log.Print(err)
//		}
//	}
//
// # What it takes off your hands
//
// Events arrive once each and in order. A stream that drops, or falls silent for
// two and a half heartbeats, is opened again where it was; where a stream brings
// nothing at all, the same events are fetched by long polling. What is sent
// while a request is under way goes together in the next one, so that order is
// kept and a call costs a few requests. A request whose answer was lost is
// repeated with its Idempotency-Key, and does nothing twice.
//
// # What it leaves to you
//
// A socket that was away for longer than the resume window is gone, and its place
// in the room with it. The client opens a new one, and tells of it by a
// [ConnectedEvent]: join there, as above, and a bot is back by itself.
//
// Events are read where they are ranged over, and nowhere else. Who does not
// range over them holds up his own stream, until the server ends it as that of a
// slow consumer.
//
// The types are those of the server's openapi.yaml, and bear its names. What an
// application adds to offers, answers and candidates is their Extra.
package client
