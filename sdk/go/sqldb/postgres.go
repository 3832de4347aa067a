package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/stdlib"
)

const dialTimeout = 2 * time.Second

func openPostgres(address string, readOnly bool, l lines) (*sql.DB, error) {
	u, err := url.Parse(address)
	if err != nil || strings.TrimPrefix(u.Path, "/") == "" {
		return nil, fmt.Errorf("%w: %s; %s", ErrURL, Redact(address), forms)
	}
	if u.Query().Has("password") {
		return nil, fmt.Errorf("%w: %s: give the password as user:password@, where it is never shown", ErrURL, Redact(address))
	}
	cfg, err := pgx.ParseConfig(address)
	if err != nil { // its text may hold the address
		return nil, fmt.Errorf("%w: %s: an option in it is not known, or a file that it names cannot be read; %s", ErrURL, Redact(address), forms)
	}
	if cfg.ConnectTimeout == 0 || cfg.ConnectTimeout > dialTimeout {
		cfg.ConnectTimeout = dialTimeout
	}
	cfg.DialFunc = l.dial
	switch attrs := u.Query().Get("target_session_attrs"); attrs {
	case "", "primary", "read-write": // a session that only reads would not count as read-write
		cfg.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsPrimary
	case "any":
	default:
		return nil, fmt.Errorf("%w: %s: target_session_attrs is %q: leave it out, the server that can be written is looked for",
			ErrURL, Redact(address), attrs)
	}
	for name, value := range map[string]string{
		"default_transaction_isolation": "read committed", "timezone": "UTC", "client_encoding": "UTF8", "standard_conforming_strings": "on",
		"application_name": "sextant",
		// A transaction whose client is gone without a word, or stands still, holds its rows no
		// longer than a lease of kit/db.
		"idle_in_transaction_session_timeout": "20000", "tcp_keepalives_idle": "10", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "3",
	} {
		cfg.RuntimeParams[name] = value
	}
	if readOnly {
		cfg.RuntimeParams["default_transaction_read_only"] = "on"
	}
	return sql.OpenDB(&connector{inner: stdlib.GetConnector(*cfg), dialect: Postgres, begin: postgresConn}), nil
}

// postgresConn tells what the driver would not: the types of a statement's
// values, which it does not convert by itself.
func postgresConn(_ context.Context, c driver.Conn) (typesOf, error) {
	own := c.(*stdlib.Conn).Conn()
	return func(ctx context.Context, query string) ([]kind, error) {
		known, err := own.Prepare(ctx, query, query) // it is prepared already
		if err != nil {
			return nil, err
		}
		kinds := make([]kind, len(known.ParamOIDs))
		for i, oid := range known.ParamOIDs {
			switch oid {
			case pgtype.ByteaOID:
				kinds[i] = kindBytes
			case pgtype.TextOID, pgtype.VarcharOID:
				kinds[i] = kindText
			case pgtype.Int8OID:
				kinds[i] = kindInt
			case pgtype.Int2OID, pgtype.Int4OID:
				kinds[i] = kindNarrow
			}
		}
		return kinds, nil
	}, nil
}

// Poisoned reports whether a statement failed in the transaction of a
// connection, so that PostgreSQL takes nothing more in it, and does not keep it
// although its commit succeeds.
func Poisoned(c *sql.Conn) bool {
	poisoned := false
	_ = c.Raw(func(own any) error { // a closed connection says so by itself
		if wrapped, ok := own.(*conn); ok {
			if pg, ok := wrapped.Conn.(*stdlib.Conn); ok {
				poisoned = pg.Conn().PgConn().TxStatus() == 'E'
			}
		}
		return nil
	})
	return poisoned
}

func classifyPostgres(err error) (Fault, bool) {
	var pe *pgconn.PgError
	if !errors.As(err, &pe) {
		return FaultOther, false
	}
	switch pe.Code {
	case "23505":
		return FaultConflict, true
	case "40001", "40P01", "55P03":
		return FaultSerial, true
	case "57014":
		return FaultTimeout, true
	case "25006", "57P05": // a transaction that may not write; an idle one that was ended
		return map[string]Fault{"25006": FaultReadOnly, "57P05": FaultAway}[pe.Code], true
	case "25P03", "57P01", "57P02", "57P03", "57P04", "53300", "53400": // ended, shutting down, starting, too many clients
		return FaultAway, true
	case "53100":
		return FaultFull, true
	case "58030":
		return FaultIO, true
	case "22001", "54000", "22021", "22P05":
		return FaultValue, true
	case "42501", "28000", "28P01", "3D000", "3F000":
		return FaultDenied, true
	}
	switch pe.Code[:min(2, len(pe.Code))] {
	case "08":
		return FaultAway, true
	case "XX":
		if pe.Code != "XX000" {
			return FaultCorrupt, true
		}
	}
	return FaultOther, true
}
