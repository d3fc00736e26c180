package access

// Reason is why a user may not join a room. It is one of the constants.
type Reason string

// The reasons for which Verify denies access. All but the first three are given
// only for tokens with a valid signature: an attacker who invents tokens learns
// nothing from them.
const (
	Missing       Reason = "missing"        // there is no token
	NoKeys        Reason = "no keys"        // no key could be fetched yet
	Invalid       Reason = "invalid"        // malformed, wrongly signed, or with an impossible claim
	Expired       Reason = "expired"        // its exp has passed
	NotYetValid   Reason = "not yet valid"  // its nbf or iat is in the future
	OtherIssuer   Reason = "other issuer"   // it is from an issuer that the verifier does not accept
	OtherAudience Reason = "other audience" // it is for other audiences than the verifier's
	OtherRoom     Reason = "other room"     // it is for another room
	OtherUser     Reason = "other user"     // it is for another user
)

var sentences = map[Reason]string{
	Missing:       "To join this room you need an access token: send it as “accessToken”",
	NoKeys:        "The server could not fetch the keys of access tokens yet. Try again later",
	Invalid:       "The access token is not valid",
	Expired:       "The access token has expired",
	NotYetValid:   "The access token is not valid yet",
	OtherIssuer:   "The access token is from another issuer",
	OtherAudience: "The access token is for another audience",
	OtherRoom:     "The access token is for another room",
	OtherUser:     "The access token is for another user",
}

// Denial is the error of Verify. It contains nothing of the keys, and nothing of the
// token but the times in its claims, so that the client and the log may have it.
type Denial struct {
	Reason Reason
	// Fault names the claim at fault, and what is wrong with it. It is empty if the token
	// has no valid signature.
	Fault string
}

// Error implements error.
func (d *Denial) Error() string {
	if d.Fault == "" {
		return "access denied: " + string(d.Reason)
	}
	return "access denied: " + string(d.Reason) + ": " + d.Fault
}

// Sentence returns the reason and the fault as a full sentence for the client.
func (d *Denial) Sentence() string {
	if d.Fault == "" {
		return sentences[d.Reason] + "."
	}
	return sentences[d.Reason] + ": " + d.Fault + "."
}
