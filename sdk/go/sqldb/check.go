package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// ErrUnfit is returned for a server or a database that cannot hold the platform.
var ErrUnfit = errors.New("the database does not suit")

var versionForm = regexp.MustCompile(`^(\d+)(?:\.(\d+))?`)

// oldest are the versions from which on a server suits.
var oldest = map[Dialect][2]int{Postgres: {15, 0}, MySQL: {8, 0}, MariaDB: {10, 11}}

func variantOf(ctx context.Context, db *sql.DB, dialect Dialect) (Dialect, error) {
	if dialect != MySQL {
		return dialect, nil
	}
	var version string
	if err := db.QueryRowContext(ctx, "SELECT VERSION()").Scan(&version); err != nil {
		return "", err
	}
	if strings.Contains(version, "MariaDB") {
		return MariaDB, nil
	}
	return MySQL, nil
}

// Check refuses a database that does not suit, by name and with what helps:
// its version, its encoding, what a session has for isolation, time zone and
// mode, and whether its user may make tables there.
//
// Returns ErrUnfit if it does not suit.
func Check(ctx context.Context, db *sql.DB, dialect Dialect) error {
	switch dialect {
	case Postgres:
		return checkPostgres(ctx, db)
	case MySQL:
		return checkMySQL(ctx, db)
	case SQLite, MariaDB:
	}
	return nil
}

func unfit(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrUnfit, fmt.Sprintf(format, args...))
}

func checkVersion(d Dialect, name, version string) error {
	m := versionForm.FindStringSubmatch(version)
	if m == nil {
		return unfit("%s does not tell its version (%q)", name, version)
	}
	major, _ := strconv.Atoi(m[1]) // digits, by the form
	minor, _ := strconv.Atoi(m[2])
	if o := oldest[d]; major < o[0] || major == o[0] && minor < o[1] {
		return unfit("%s is of version %s.%02d: take %d.%d or newer", name, m[1], minor, o[0], o[1])
	}
	return nil
}

func checkPostgres(ctx context.Context, db *sql.DB) error {
	var version, encoding, isolation, zone, name, user string
	var creates bool
	err := db.QueryRowContext(ctx,
		`SELECT current_setting('server_version'), pg_encoding_to_char(encoding), current_setting('transaction_isolation'),
current_setting('TimeZone'), current_database(), current_user, COALESCE(has_schema_privilege(current_schema(), 'CREATE'), false)
FROM pg_database WHERE datname = current_database()`).Scan(&version, &encoding, &isolation, &zone, &name, &user, &creates)
	if err != nil {
		return err
	}
	if err := checkVersion(Postgres, "PostgreSQL", version); err != nil {
		return err
	}
	switch {
	case encoding != "UTF8":
		return unfit("the database %s has the encoding %s: make it anew with CREATE DATABASE %s ENCODING 'UTF8' TEMPLATE template0",
			name, encoding, name)
	case isolation != "read committed":
		return unfit("sessions have the isolation level %s and not read committed: a proxy between changes it", isolation)
	case zone != "UTC":
		return unfit("sessions have the time zone %s and not UTC: a proxy between changes it", zone)
	case !creates:
		return unfit("the user %s may not make tables in the database %s: "+
			"ALTER DATABASE %s OWNER TO %s, or GRANT CREATE, USAGE ON SCHEMA public TO %s", user, name, name, user, user)
	}
	return foreignCollation(ctx, db, `SELECT table_name, column_name, COALESCE(collation_name, 'the default') FROM information_schema.columns
WHERE table_schema = current_schema() AND data_type = 'text' AND COALESCE(collation_name, '') <> 'C' `+
		`ORDER BY table_name, column_name LIMIT 1`, "C")
}

func checkMySQL(ctx context.Context, db *sql.DB) error {
	var version, zone, sqlMode, engine string
	if err := db.QueryRowContext(ctx, "SELECT VERSION(), @@session.time_zone, @@session.sql_mode, @@session.default_storage_engine").
		Scan(&version, &zone, &sqlMode, &engine); err != nil {
		return err
	}
	dialect, name, variable := MySQL, "MySQL", "@@session.transaction_isolation"
	if strings.Contains(version, "MariaDB") {
		dialect, name, variable = MariaDB, "MariaDB", "@@session.tx_isolation"
		version = strings.TrimPrefix(version, "5.5.5-") // what it tells old clients
	}
	if err := checkVersion(dialect, name, version); err != nil {
		return err
	}
	var isolation string
	if err := db.QueryRowContext(ctx, "SELECT "+variable).Scan(&isolation); err != nil {
		return err
	}
	switch {
	case isolation != "READ-COMMITTED":
		return unfit("sessions have the isolation level %s and not READ-COMMITTED: a proxy between changes it", isolation)
	case zone != "+00:00":
		return unfit("sessions have the time zone %s and not +00:00: a proxy between changes it", zone)
	case !strings.Contains(sqlMode, "STRICT_ALL_TABLES") || !strings.Contains(sqlMode, "NO_BACKSLASH_ESCAPES"):
		return unfit("sessions have the mode %s and are not strict: a proxy between changes it", sqlMode)
	case !strings.EqualFold(engine, "InnoDB"):
		return unfit("tables are made with the engine %s: set default_storage_engine=InnoDB, without which nothing is one transaction", engine)
	}
	if err := maketable(ctx, db); err != nil {
		return err
	}
	return foreignCollation(ctx, db, `SELECT table_name, column_name, collation_name FROM information_schema.columns
WHERE table_schema = DATABASE() AND collation_name IS NOT NULL AND collation_name NOT IN ('utf8mb4_nopad_bin', 'utf8mb4_0900_bin') `+
		`ORDER BY table_name, column_name LIMIT 1`, "utf8mb4_nopad_bin or utf8mb4_0900_bin")
}

// maketable finds out whether the user may make and drop tables.
func maketable(ctx context.Context, db *sql.DB) error {
	c, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	var name, user string
	if err := c.QueryRowContext(ctx, "SELECT DATABASE(), CURRENT_USER()").Scan(&name, &user); err != nil {
		return err
	}
	for _, text := range []string{"CREATE TABLE IF NOT EXISTS sextant_check (id BIGINT NOT NULL PRIMARY KEY)",
		"CREATE INDEX sextant_check_id ON sextant_check (id)", "DROP TABLE sextant_check"} {
		if _, err := c.ExecContext(ctx, text); Classify(err) == FaultDenied {
			return unfit("the user %s may not make, change or drop tables in the database %s: GRANT ALL ON `%s`.* TO %s",
				user, name, name, account(user))
		} else if err != nil && !strings.Contains(err.Error(), "Duplicate key name") {
			return err
		}
	}
	return nil
}

// account quotes a user as GRANT wants it.
func account(user string) string {
	name, host, _ := strings.Cut(user, "@")
	return "'" + name + "'@'" + host + "'"
}

func foreignCollation(ctx context.Context, db *sql.DB, query, want string) error {
	var table, column, collation string
	err := db.QueryRowContext(ctx, query).Scan(&table, &column, &collation)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	return unfit("the column %s of the table %s has the collation %s and not %s, "+
		"so that other texts would count as equal: restore the tables as they were made, or empty the database", column, table, collation, want)
}
