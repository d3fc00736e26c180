// Package access decides who may join a room: it checks access tokens, which are
// JWTs (RFC 7519) that a back end signs for one user, and grants what they say.
//
//	sub   the user's ID                                            required
//	room  a room's ID, or the beginning of some followed by a “*”  required
//	exp   when the token ends                                      required
//	nbf   when it begins
//	iat   when it was issued, which cannot be in the future
//	max   how many members the room may have, a positive integer
//	can   what the user may do: a list of “signal”, “chat” and “observe”
//
// Other claims are ignored, “aud” and “iss” among them: a key that signs access
// tokens signs nothing else that has a “room”. A “*” that is not the last
// character is one like any other, since a room's ID may have it. IDs are
// compared byte by byte, so what merely looks alike is another.
//
// The key alone decides the algorithm, never the token (RFC 8725, 3.1 and 3.2):
// a secret takes HS256, a public key the one algorithm of its type, a JWK Set
// RS256, ES256 and EdDSA. A token's “jku”, “x5u” and “jwk” are ignored, and one
// with “crit” is refused, since nothing critical is understood here
// (RFC 7515, 4.1.11).
package access
