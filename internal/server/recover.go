package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"sextant/internal/domain/audit"
	"sextant/internal/domain/identity"
	"sextant/internal/engine/durable"
	"sextant/internal/engine/state"
	"sextant/internal/kit/db"
	"sextant/internal/kit/lifecycle"
)

// Recover makes a link that logs a user in once, within an hour, on the data
// folder of a server that does not run. Whoever can write the folder is its
// owner.
func Recover(ctx context.Context, o Options, name string) (link string, err error) {
	err = offline(ctx, o, func(s *Server) error {
		link, err = identity.New(s.db, o.Clock, audit.New(s.db, o.Clock)).Recover(ctx, name)
		return err
	})
	return link, err
}

// Quarantine sets a run aside on the data folder of a server that does not run,
// so that the next start leaves it alone; with drop that start ends it.
func Quarantine(ctx context.Context, o Options, run int64, reason string, drop bool) error {
	return offline(ctx, o, func(s *Server) error {
		err := durable.Quarantine(ctx, s.db, o.Clock, state.Key(run), reason, drop)
		if errors.Is(err, durable.ErrNoRun) {
			err = fmt.Errorf("the folder %s has no active run %d", o.Config.Data, run)
		}
		if err != nil {
			return err
		}
		detail, err := json.Marshal(map[string]any{"reason": reason, "drop": drop})
		if err != nil {
			return err
		}
		return s.db.Do(ctx, func(tx *db.Tx) error {
			return audit.New(s.db, o.Clock).Write(ctx, tx, audit.Record{Project: "default", Actor: audit.Actor{
				Subject: "system/quarantine", Name: "quarantine"}, Verb: "run.quarantine", Object: fmt.Sprintf("run/%d", run), Detail: detail})
		})
	})
}

// offline works on the data folder of a server that does not run.
func offline(ctx context.Context, o Options, fn func(*Server) error) (err error) {
	mark := "sextant.db"
	if o.Config.Database != "" {
		mark = "format"
	}
	if _, err := os.Stat(filepath.Join(o.Config.Data, mark)); err != nil {
		return fmt.Errorf("data: no server has used the folder %s: name its folder with --data", o.Config.Data)
	}
	s := &Server{Options: o, group: lifecycle.New(context.WithoutCancel(ctx))}
	defer func() { err = errors.Join(err, s.group.Stop(stopFor)) }()
	if s.folder, err = openFolder(o.Config.Data); err != nil {
		return err
	}
	s.group.OnStop("data folder", func(context.Context) error { return s.folder.close() })
	s.folder.away = o.Config.Database != ""
	if err := s.folder.whole(); err != nil {
		return err
	}
	if err := s.openDatabase(ctx); err != nil {
		return err
	}
	return fn(s)
}
