// Package machine applies what clients and operators ask for to the state of the server: the
// sockets of package sse and the rooms of package rooms.
//
// What one POST asks for is a [Post], and what an operator asks for is an [Operation]. Both
// are commands: whether they are accepted depends only on the state and on the command. So
// two nodes with equal states that apply equal commands in one order stay equal.
//
// A node that takes a request first decides what it alone can know: whether the body is
// valid, what the access token grants, and whether a rate or the memory allows the event. A
// refusal rides along in the [Post], because a repeat must get the same answer.
//
// One node applies a command at once. Several nodes share a log of records, and each of them is
// a [Replica]: it applies all commands, in the order of the log. What happens to sockets is a
// command then, too (see [sse.Command]), and the log counts the time.
package machine
