package sqldb

import (
	"archive/zip"
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
)

// Migrate brings the tables of one domain up to date. The files of fsys are
// named YYYYMMDDHHMM_<verb>.sql, in one text for all dialects: INTEGER, TEXT,
// BLOB, VARCHAR(n) and VARBINARY(n) are rendered for each, and WITHOUT ROWID is
// left out where it means nothing. A file in a folder named as the dialect
// stands in the place of the one with its name. Each domain keeps a version
// table of its own, <domain>_version. Migrations go forward only.
//
// Returns ErrNewer if the tables were made by migrations that are not in fsys.
func Migrate(ctx context.Context, db *sql.DB, dialect Dialect, domain string, fsys fs.FS) error {
	ctx = patiently(ctx)
	variant, err := variantOf(ctx, db, dialect)
	if err != nil {
		return fmt.Errorf("migrate %s: %w", domain, err)
	}
	files, err := rendered(fsys, dialect, variant)
	if err != nil {
		return fmt.Errorf("migrate %s: %w", domain, err)
	}
	store, err := database.NewStore(gooseDialect(dialect), domain+"_version")
	if err != nil {
		return fmt.Errorf("migrate %s: %w", domain, err)
	}
	provider, err := goose.NewProvider("", db, files, goose.WithStore(store), goose.WithDisableGlobalRegistry(true))
	if errors.Is(err, goose.ErrNoMigrations) {
		return fmt.Errorf("migrate %s: there are no migrations for the dialect %q", domain, dialect)
	}
	if err != nil {
		return fmt.Errorf("migrate %s: %w", domain, err)
	}
	if err := known(ctx, db, store, files); err != nil {
		return fmt.Errorf("migrate %s: %w", domain, err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate %s: %w", domain, err)
	}
	return nil
}

// ErrNewer is returned for tables of another version than the program's.
var ErrNewer = errors.New("the tables were made by another version of the program: " +
	"use that one, or a newer one; before 0.1 a folder of an older version cannot be used")

// known refuses a database in which migrations ran that are not there: their
// tables are unknown.
func known(ctx context.Context, db *sql.DB, store database.Store, files fs.FS) error {
	if exists, err := tableExists(ctx, db, store); err != nil || !exists {
		return err
	}
	applied, err := store.ListMigrations(ctx, db)
	if err != nil {
		return err
	}
	for _, m := range applied {
		found, err := fs.Glob(files, strconv.FormatInt(m.Version, 10)+"_*.sql")
		if err != nil {
			return err
		}
		if m.Version != 0 && len(found) == 0 {
			return fmt.Errorf("%w (it knows no migration %d)", ErrNewer, m.Version)
		}
	}
	return nil
}

// Applied are the migrations that a domain's tables have had; none where there are no
// tables.
func Applied(ctx context.Context, db *sql.DB, dialect Dialect, domain string) ([]int64, error) {
	store, err := database.NewStore(gooseDialect(dialect), domain+"_version")
	if err != nil {
		return nil, err
	}
	if exists, err := tableExists(ctx, db, store); err != nil || !exists {
		return nil, err
	}
	applied, err := store.ListMigrations(ctx, db)
	if err != nil {
		return nil, err
	}
	var all []int64
	for _, m := range applied {
		if m.Version > 0 {
			all = append(all, m.Version)
		}
	}
	return all, nil
}

func tableExists(ctx context.Context, db *sql.DB, store database.Store) (bool, error) {
	extended, ok := store.(interface {
		TableExists(context.Context, database.DBTxConn) (bool, error)
	})
	if ok {
		exists, err := extended.TableExists(ctx, db)
		if !errors.Is(err, errors.ErrUnsupported) {
			return exists, err
		}
	}
	_, err := store.GetLatestVersion(ctx, db)
	return err == nil || errors.Is(err, database.ErrVersionNotFound), nil // no such table is a fault of its own in each dialect
}

// rendered gives the migrations of a dialect in its own words.
func rendered(fsys fs.FS, dialect, variant Dialect) (fs.FS, error) {
	texts, err := texts(fsys, dialect, variant)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	w := zip.NewWriter(&b) // a file system in memory
	for name, text := range texts {
		f, err := w.Create(name)
		if err != nil {
			return nil, err
		}
		if _, err := f.Write([]byte(text)); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
}

func texts(fsys fs.FS, dialect, variant Dialect) (map[string]string, error) {
	out := map[string]string{}
	for _, dir := range []string{".", string(dialect)} {
		names, err := fs.Glob(fsys, path.Join(dir, "*.sql"))
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			data, err := fs.ReadFile(fsys, name)
			if err != nil {
				return nil, err
			}
			text := string(data)
			if dialect != SQLite || dir == "." {
				text = render(variant, text)
			}
			out[path.Base(name)] = text
		}
	}
	return out, nil
}

// Migrations gives the texts of migrations as they are run in a dialect, by
// name. For MariaDB ask for the dialect MariaDB.
func Migrations(fsys fs.FS, variant Dialect) (map[string]string, error) {
	dialect := variant
	if variant == MariaDB {
		dialect = MySQL
	}
	return texts(fsys, dialect, variant)
}

func gooseDialect(d Dialect) database.Dialect {
	return map[Dialect]database.Dialect{SQLite: database.DialectSQLite3, Postgres: database.DialectPostgres, MySQL: database.DialectMySQL}[d]
}

var createTable = regexp.MustCompile(`(?m)^CREATE TABLE (?:IF NOT EXISTS )?(\w+)`)

// Tables names the tables that migrations make, in the order of their names.
// It is right as long as none is dropped.
func Tables(fsys fs.FS) ([]string, error) {
	texts, err := Migrations(fsys, SQLite)
	if err != nil {
		return nil, err
	}
	var all []string
	for _, text := range texts {
		for _, m := range createTable.FindAllStringSubmatch(text, -1) {
			all = append(all, m[1])
		}
	}
	slices.Sort(all)
	return slices.DeleteFunc(slices.Compact(all), func(name string) bool { return strings.HasSuffix(name, "_version") }), nil
}
