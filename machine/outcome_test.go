package machine_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signaling-server/machine"
	"signaling-server/rooms"
	"signaling-server/sse"
)

// knownErrors are all errors that package rooms and package sse export.
var knownErrors = map[string]error{
	"rooms.ErrGone":                  rooms.ErrGone,
	"rooms.ErrOverflow":              rooms.ErrOverflow,
	"rooms.ErrDraining":              rooms.ErrDraining,
	"rooms.ErrNotInRoom":             rooms.ErrNotInRoom,
	"rooms.ErrTargetNotFound":        rooms.ErrTargetNotFound,
	"rooms.ErrRoomFull":              rooms.ErrRoomFull,
	"rooms.ErrRosterFull":            rooms.ErrRosterFull,
	"rooms.ErrRoomLocked":            rooms.ErrRoomLocked,
	"rooms.ErrTooManyRooms":          rooms.ErrTooManyRooms,
	"rooms.ErrTooManyRoomsOfNetwork": rooms.ErrTooManyRoomsOfNetwork,
	"rooms.ErrNotPermitted":          rooms.ErrNotPermitted,
	"rooms.ErrNoRoom":                rooms.ErrNoRoom,
	"rooms.ErrRevoked":               rooms.ErrRevoked,
	"rooms.ErrTooManyRevocations":    rooms.ErrTooManyRevocations,
	"sse.ErrGone":                    sse.ErrGone,
	"sse.ErrOverflow":                sse.ErrOverflow,
	"sse.ErrDraining":                sse.ErrDraining,
	"sse.ErrAtCapacity":              sse.ErrAtCapacity,
	"sse.ErrTooMany":                 sse.ErrTooMany,
	"sse.ErrOutOfBudget":             sse.ErrOutOfBudget,
}

func TestEveryErrorHasAnOutcome(t *testing.T) {
	require.ElementsMatch(t, slices.Collect(maps.Keys(knownErrors)), slices.Concat(exportedErrors(t, "rooms"), exportedErrors(t, "sse")))
	for name, err := range knownErrors {
		outcome := machine.OutcomeOf(fmt.Errorf("wrapped: %w", err))
		require.NotContains(t, []machine.Outcome{machine.Accepted, machine.Failed}, outcome, name)
		require.Equal(t, outcome, machine.OutcomeOf(outcome.Err()), name)
	}
	require.Equal(t, machine.Accepted, machine.OutcomeOf(nil))
	require.NoError(t, machine.Accepted.Err())
	require.Equal(t, machine.Failed, machine.OutcomeOf(fmt.Errorf("another")))
	for outcome := machine.Accepted + 1; outcome < 255; outcome++ {
		require.Error(t, outcome.Err(), outcome)
	}
}

// exportedErrors finds the errors that a package exports, in its source.
func exportedErrors(t *testing.T, name string) (found []string) {
	files, err := filepath.Glob(filepath.Join("..", name, "*.go"))
	require.NoError(t, err)
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		require.NoError(t, err)
		for _, declared := range file.Decls {
			group, ok := declared.(*ast.GenDecl)
			if !ok || group.Tok != token.VAR {
				continue
			}
			for _, spec := range group.Specs {
				for _, variable := range spec.(*ast.ValueSpec).Names {
					if strings.HasPrefix(variable.Name, "Err") {
						found = append(found, name+"."+variable.Name)
					}
				}
			}
		}
	}
	return found
}
