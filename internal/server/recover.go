package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"sextant/internal/domain/audit"
	"sextant/internal/domain/identity"
	"sextant/internal/kit/lifecycle"
)

// Recover makes a link that logs a user in once, within an hour, on the data
// folder of a server that does not run. Whoever can write the folder is its
// owner.
func Recover(ctx context.Context, o Options, name string) (link string, err error) {
	if _, err := os.Stat(filepath.Join(o.Config.Data, "sextant.db")); err != nil {
		return "", fmt.Errorf("data: no server has used the folder %s: name its folder with --data", o.Config.Data)
	}
	s := &Server{Options: o, group: lifecycle.New(context.WithoutCancel(ctx))}
	defer func() { err = errors.Join(err, s.group.Stop(stopFor)) }()
	if s.folder, err = openFolder(o.Config.Data); err != nil {
		return "", err
	}
	s.group.OnStop("data folder", func(context.Context) error { return s.folder.close() })
	if err := s.openDatabase(ctx); err != nil {
		return "", err
	}
	return identity.New(s.db, o.Clock, audit.New(s.db, o.Clock)).Recover(ctx, name)
}
