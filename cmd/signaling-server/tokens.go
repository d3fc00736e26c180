package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"signaling-server/access"
	"signaling-server/httpapi/operators"
)

// issueOperatorToken prints a token for a new operator, and the line for OPERATOR_TOKENS.
func issueOperatorToken(args []string, stdout io.Writer) error {
	if len(args) == 1 && slices.Contains([]string{"-h", "-help", "--help"}, args[0]) {
		_, err := fmt.Fprintf(stdout, "Usage: signaling-server operator-token NAME SCOPES\n\nIt makes a token for an operator with that name. The scopes are %v.\n", operators.Scopes())
		return err
	}
	if len(args) < 2 {
		return errors.New("operator-token needs a name and scopes, such as: signaling-server operator-token billing read send")
	}
	var scopes []string
	for _, arg := range args[1:] {
		scopes = append(scopes, strings.Split(arg, ",")...)
	}
	token, line, err := operators.Issue(args[0], scopes)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "The token of %s, which is not shown again:\n\n  %s\n\nThe line for OPERATOR_TOKENS, or for its file:\n\n  %s\n", args[0], token, line)
	return err
}

// issueAccessToken prints an access token, signed with ACCESS_SECRET.
func issueAccessToken(c config, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("token", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // the error says it
	room := flags.String("room", "", "ID of the `room`, or the beginning of IDs and *")
	user := flags.String("user", "", "ID of the `user`")
	lifetime := flags.Duration("for", time.Hour, "how `long` the token is valid")
	most := flags.Int("max", 0, "how many `members` the room may have; 0: the token does not say it")
	id := flags.String("id", "", "`ID` of the token, by which it can be revoked (jti)")
	can := flags.String("can", "", "comma-separated `list` of signal, chat and observe; default signal,chat")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		flags.SetOutput(stdout)
		_, _ = fmt.Fprintln(stdout, "Usage: signaling-server token -room ID -user ID [-for 1h] [-max 8] [-can signal,chat] [-id ID]")
		flags.PrintDefaults()
		return nil
	case err != nil:
		return fmt.Errorf("token: %w", err)
	case flags.NArg() > 0 || *room == "" || *user == "":
		return errors.New("token needs a room and a user, such as: signaling-server token -room standup -user ada")
	case c.AccessSecret == "":
		return errors.New("token needs ACCESS_SECRET, which signs access tokens: with ACCESS_PUBLIC_KEY or ACCESS_JWKS_URL only the holder of the private key can issue them")
	}
	claims := jwt.MapClaims{"room": *room, "sub": *user, "exp": time.Now().Add(*lifetime).Unix()}
	if *most != 0 {
		claims["max"] = *most
	}
	if *can != "" {
		claims["can"] = strings.Split(*can, ",")
	}
	if *id != "" {
		claims["jti"] = *id
	}
	if len(c.AccessAudiences) > 0 {
		claims["aud"] = c.AccessAudiences[0]
	}
	if len(c.AccessIssuers) > 0 {
		claims["iss"] = c.AccessIssuers[0]
	}
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(c.AccessSecret))
	if err != nil {
		return err
	}
	if err := c.tryToken(token, *room, *user, *id); err != nil {
		return err
	}
	_, err = fmt.Fprintln(stdout, token)
	return err
}

// tryToken reports whether a server with these settings would accept a token, and know its ID.
func (c config) tryToken(token, room, user, id string) error {
	verifier, err := access.NewVerifier(context.Background(), access.Options{
		Keys: access.Keys{Secret: []byte(c.AccessSecret)}, Audiences: c.AccessAudiences, Issuers: c.AccessIssuers,
	})
	if err != nil {
		return err
	}
	defer verifier.Close()
	switch grant, err := verifier.Verify(token, room, user); {
	case err != nil:
		return fmt.Errorf("the server would refuse this token: %w", err)
	case grant.ID != id:
		return errors.New("the ID of a token has 256 bytes at most")
	}
	return nil
}
