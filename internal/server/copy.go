package server

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sextant/internal/kit/db"
	"sextant/internal/kit/db/transfer"
	"sextant/internal/kit/lifecycle"
	"sextant/sdk/go/objectstore"
	"sextant/sdk/go/sqldb"
)

// File is how CopyDatabase names the SQLite files in the data folder.
const File = "file"

// Copied is what was copied of one database: the platform's, or a plugin's.
type Copied struct {
	Of     string           `json:"of"`
	Tables []transfer.Table `json:"tables"`
}

// CopyDatabase copies all that the platform and its plugins keep in one database
// to another that is empty, while no server runs. from and to are addresses, or
// File. What was copied is read again on both sides and compared.
func CopyDatabase(ctx context.Context, o Options, from, to string) (all []Copied, err error) {
	if from == to {
		return nil, fmt.Errorf("database: from and to are the same")
	}
	s := &Server{Options: o, group: lifecycle.New(context.WithoutCancel(ctx))}
	defer func() { err = errors.Join(err, s.group.Stop(stopFor)) }()
	if s.folder, err = openFolder(o.Config.Data); err != nil {
		return nil, err
	}
	s.group.OnStop("data folder", func(context.Context) error { return s.folder.close() })
	if from == File {
		if err := s.folder.whole(); err != nil {
			return nil, err
		}
	}
	err = s.copyAll(ctx, from, to, func(c Copied) { all = append(all, c) })
	return all, err
}

// side is a database that takes part in a copy.
type side struct {
	address string
	db      *sql.DB
	kept    *db.DB // holds the platform's own, so that no server does
}

func (s *Server) copyAll(ctx context.Context, from, to string, done func(Copied)) error {
	source, err := s.side(ctx, from, s.holder())
	if err != nil {
		return fmt.Errorf("from: %w", err)
	}
	defer source.close()
	target, err := s.side(ctx, to, db.Holder{ID: db.Copying, Name: "a copy, " + s.holder().Name})
	if err != nil {
		return fmt.Errorf("to: %w", err)
	}
	defer target.close()
	var tables []string
	for _, m := range migrations() {
		sub, err := fs.Sub(m.files, "migrations")
		if err != nil {
			return err
		}
		more, err := sqldb.Tables(sub)
		if err != nil {
			return err
		}
		tables = append(tables, more...)
	}
	if err := transfer.Empty(ctx, target.db, tables); err != nil {
		return fmt.Errorf("to: %w", err)
	}
	if err := target.kept.BeginCopy(ctx); err != nil {
		return err
	}
	for _, b := range builtins() {
		if err := s.copyPlugin(ctx, source.address, target.address, b.name, done); err != nil {
			return fmt.Errorf("plugin %s: %w", b.name, err)
		}
	}
	if err := copyTables(ctx, source.db, target.db, Copied{Of: "platform"}, tables, done); err != nil {
		return err
	}
	return target.kept.EndCopy(ctx)
}

// side opens the platform's database on one side and brings it up to date.
func (s *Server) side(ctx context.Context, address string, h db.Holder) (*side, error) {
	if address == File {
		if err := s.folder.private("sextant.db"); err != nil {
			return nil, err
		}
		address = "sqlite:" + s.folder.path("sextant.db")
	}
	kept, err := db.OpenAs(ctx, address, h)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", sqldb.Redact(address), err)
	}
	one := &side{address: address, kept: kept}
	for _, m := range migrations() {
		if err := kept.Migrate(ctx, m.domain, m.files); err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", sqldb.Redact(address), err), kept.Close())
		}
	}
	if one.db, _, err = sqldb.Open(address, false); err != nil {
		return nil, errors.Join(err, kept.Close())
	}
	return one, nil
}

func (s *side) close() {
	_ = errors.Join(s.db.Close(), s.kept.Close()) // all was committed
}

func (s *Server) copyPlugin(ctx context.Context, from, to, name string, done func(Copied)) error {
	var sides []*sql.DB
	for _, address := range []string{from, to} {
		at, err := s.pluginDatabase(ctx, address, name)
		if err != nil {
			return err
		}
		opened, dialect, err := sqldb.Open(at, false)
		if err != nil {
			return err
		}
		defer opened.Close()
		if err := objectstore.Prepare(ctx, opened, dialect); err != nil {
			return err
		}
		sides = append(sides, opened)
	}
	tables, err := objectstore.Tables()
	if err != nil {
		return err
	}
	if err := transfer.Empty(ctx, sides[1], tables); err != nil {
		return err
	}
	return copyTables(ctx, sides[0], sides[1], Copied{Of: "plugin " + name}, tables, done)
}

func copyTables(ctx context.Context, from, to *sql.DB, c Copied, tables []string, done func(Copied)) error {
	for _, name := range slices.Sorted(slices.Values(tables)) {
		t, err := transfer.Copy(ctx, from, to, name)
		if err != nil {
			return err
		}
		c.Tables = append(c.Tables, t)
	}
	done(c)
	return nil
}

// pluginDatabase gives the address of a plugin's own database beside the
// platform's.
func (s *Server) pluginDatabase(ctx context.Context, platform, name string) (string, error) {
	if !strings.HasPrefix(platform, "sqlite:") {
		return sqldb.Room(ctx, platform, "plugin_"+name)
	}
	dir := filepath.Join(s.pluginFolder(name), "db")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	return "sqlite:" + filepath.Join(dir, "plugin.db"), nil
}
