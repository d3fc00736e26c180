package access

// Reason is why a user may not join a room. It is one of the constants.
type Reason string

// The reasons for which Verify denies access. All but Missing and Invalid are given
// only for tokens with a valid signature: an attacker who invents tokens learns
// nothing from them.
const (
	Missing     Reason = "missing"       // there is no token
	Invalid     Reason = "invalid"       // malformed, wrongly signed, or with an impossible claim
	Expired     Reason = "expired"       // its exp has passed
	NotYetValid Reason = "not yet valid" // its nbf or iat is in the future
	OtherRoom   Reason = "other room"    // it is for another room
	OtherUser   Reason = "other user"    // it is for another user
)

var sentences = map[Reason]string{
	Missing:     "To join this room you need an access token: send it as “accessToken”.",
	Invalid:     "The access token is not valid.",
	Expired:     "The access token has expired.",
	NotYetValid: "The access token is not valid yet.",
	OtherRoom:   "The access token is for another room.",
	OtherUser:   "The access token is for another user.",
}

// Denial is the error of Verify. It contains nothing of the token or the keys, so that
// the client may see it.
type Denial struct {
	Reason Reason
}

// Error implements error.
func (d *Denial) Error() string { return "access denied: " + string(d.Reason) }

// Sentence returns the reason as a full sentence for the client.
func (d *Denial) Sentence() string { return sentences[d.Reason] }
