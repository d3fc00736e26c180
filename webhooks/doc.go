// Package webhooks tells the back end of an application who is in which room. A [Sender] posts
// each change that package rooms keeps to an address, signed as the Standard Webhooks say
// (https://github.com/standard-webhooks/standard-webhooks, spec version 1). It sends each change
// at least once, and those of a room in order.
//
// No client waits for a back end: the sender has goroutines of its own, which read what is kept. A
// [Journal] keeps the changes on disk, for the next process.
package webhooks
