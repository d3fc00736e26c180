package webhooks

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// secretPrefix begins a secret as people write it.
const secretPrefix = "whsec_"

// Bounds of a secret in bytes, by the Standard Webhooks.
const (
	minSecret = 24
	maxSecret = 64
)

// ErrSecret says what a secret looks like.
var ErrSecret = errors.New("a secret is whsec_ with the base64 of 24 to 64 random bytes")

// ParseSecret reads a secret. The error is ErrSecret.
func ParseSecret(text string) ([]byte, error) {
	encoded, hasPrefix := strings.CutPrefix(text, secretPrefix)
	secret, err := base64.StdEncoding.DecodeString(encoded)
	if !hasPrefix || err != nil || len(secret) < minSecret || len(secret) > maxSecret {
		return nil, ErrSecret
	}
	return secret, nil
}

// sign returns the header webhook-signature: a signature by each secret.
func sign(secrets [][]byte, id string, seconds int64, body []byte) string {
	all := make([]string, 0, len(secrets))
	for _, secret := range secrets {
		mac := hmac.New(sha256.New, secret)
		fmt.Fprintf(mac, "%s.%d.%s", id, seconds, body)
		all = append(all, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	return strings.Join(all, " ")
}
