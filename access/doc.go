// Package access decides who may join a room. It checks access tokens: JWTs
// (RFC 7519) that a back end signs for one user. A token grants what its claims say:
//
//	sub   the user's ID                                                required
//	room  a room's ID, or the beginning of room IDs followed by a “*”  required
//	exp   when the token expires                                       required
//	nbf   when it begins to be valid
//	iat   when it was issued; this must not be in the future
//	max   how many members the room may have, a positive integer
//	can   what the user may do: a list of “signal”, “chat” and “observe”
//	aud   the audiences that it is for                                 if it is demanded
//	iss   who issued it                                                if it is demanded
//
// Other claims are ignored. Without a demand “aud” and “iss” are ignored too: then the
// key must sign nothing but access tokens. A “*” that is not the last character has no
// special meaning, because a room's ID may contain it. IDs are compared byte by byte:
// two IDs that only look alike are different.
//
// The key alone decides the algorithms, never the token (RFC 8725, 3.1 and 3.2). A
// secret accepts HMAC, by hashes that are no longer than the secret. A public key accepts
// the algorithms of its type and curve. A key of a JWK Set with “alg” accepts that
// algorithm only. The headers “jku”, “x5u” and “jwk” of a token are ignored. A token with
// “crit” is refused: it lists extensions that the verifier must understand, and we
// understand none (RFC 7515, 4.1.11).
//
// A denial names the claim at fault, but only for a token with a valid signature.
package access
