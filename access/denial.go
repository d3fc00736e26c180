package access

// Reason is why somebody is not let into a room. It is one of the constants.
type Reason string

// The reasons for which Verify denies access. All but Missing and Invalid are
// told only about tokens whose signature holds, so that whoever makes tokens up
// learns nothing from them.
const (
	Missing     Reason = "missing"       // there is no token
	Invalid     Reason = "invalid"       // malformed, wrongly signed, or with a claim that cannot be
	Expired     Reason = "expired"       // its exp has passed
	NotYetValid Reason = "not yet valid" // its nbf or iat is still to come
	OtherRoom   Reason = "other room"    // its room is another
	OtherUser   Reason = "other user"    // its sub is another
)

var sentences = map[Reason]string{
	Missing:     "To join this room you need an access token, in “accessToken”.",
	Invalid:     "The access token is not valid.",
	Expired:     "The access token has expired.",
	NotYetValid: "The access token is not valid yet.",
	OtherRoom:   "The access token is for another room.",
	OtherUser:   "The access token is for another user.",
}

// Denial is the error of Verify. It holds nothing of the token, nor of the keys,
// and can be shown to the client.
type Denial struct {
	Reason Reason
}

// Error says for which reason access is denied.
func (d *Denial) Error() string { return "access denied: " + string(d.Reason) }

// Sentence tells the client the reason, in a full sentence.
func (d *Denial) Sentence() string { return sentences[d.Reason] }
