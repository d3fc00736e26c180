package httpapi

import (
	"signaling-server/access"
	"signaling-server/rooms"
)

// permit tells what its access token lets a socket do in the room that it wants
// to join: everything, where no tokens are asked for.
func (a *API) permit(e *joinRoom, socketID string) (rooms.Permit, error) {
	network := a.hub.Network(socketID)
	if a.access == nil {
		return rooms.Permit{Network: network}, nil
	}
	grant, err := a.access.Verify(e.AccessToken, e.RoomID, e.UserID)
	if err != nil {
		return rooms.Permit{}, err
	}
	return rooms.Permit{
		NoSignals:  !grant.Can.Has(access.Signal),
		NoChat:     !grant.Can.Has(access.Chat),
		MaxMembers: grant.MaxMembers,
		Expires:    grant.ExpiresAt,
		Network:    network,
	}, nil
}
