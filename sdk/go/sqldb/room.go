package sqldb

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

var roomForm = regexp.MustCompile(`^[a-z][a-z0-9_]{0,40}$`)

// Room makes a place of its own beside a database on a server, for tables of
// somebody else, and gives its address: a schema with PostgreSQL, a database
// called <database>_<name> with MySQL.
//
// Returns ErrUnfit if the user may not make it.
func Room(ctx context.Context, address, name string) (string, error) {
	name = strings.ReplaceAll(name, "-", "_")
	if !roomForm.MatchString(name) {
		return "", fmt.Errorf("%q is no name for a place in the database", name)
	}
	db, dialect, err := Open(address, false)
	if err != nil {
		return "", err
	}
	defer db.Close()
	u, err := url.Parse(address)
	if err != nil || dialect == SQLite {
		return "", errors.Join(ErrURL, err)
	}
	base := strings.TrimPrefix(u.Path, "/")
	make := "CREATE SCHEMA IF NOT EXISTS " + name
	help := "GRANT CREATE ON DATABASE " + base + " TO " + u.User.Username()
	if dialect == MySQL {
		name = base + "_" + name
		make = "CREATE DATABASE IF NOT EXISTS `" + name + "`"
		help = "GRANT ALL ON `" + strings.ReplaceAll(base, "_", `\_`) + `\_%` + "`.* TO " + u.User.Username()
	}
	if _, err := db.ExecContext(ctx, make); Classify(err) == FaultDenied {
		return "", unfit("the user %s may not make a place for a plugin: %s", u.User.Username(), help)
	} else if err != nil {
		return "", err
	}
	if dialect == MySQL {
		u.Path = "/" + name
		return u.String(), nil
	}
	q := u.Query()
	q.Set("search_path", name)
	u.RawQuery = q.Encode()
	return u.String(), nil
}
