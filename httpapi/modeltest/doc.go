// Package modeltest holds the server to a model of the protocol: clients do whatever
// clients can do, in any order and in fake time, and an oracle says what each of them
// must then have received.
package modeltest
