// Package modeltest compares the server with a model of the protocol. Clients do whatever
// clients can do, in any order and in fake time. An oracle predicts what each client must
// receive, from one node or from three that share a log.
package modeltest
