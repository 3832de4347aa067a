package sqldb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/go-sql-driver/mysql"
)

// mode makes MySQL read SQL as the others do, and refuse what does not fit.
const mode = "'ANSI_QUOTES,PIPES_AS_CONCAT,IGNORE_SPACE,NO_BACKSLASH_ESCAPES," +
	"STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'"

func openMySQL(address string, readOnly bool, l lines) (*sql.DB, error) {
	wrong := fmt.Errorf("%w: %s; %s", ErrURL, Redact(address), forms)
	u, err := url.Parse(address)
	if err != nil || u.User == nil || strings.Trim(u.Path, "/") == "" {
		return nil, wrong
	}
	cfg := mysql.NewConfig()
	cfg.User = u.User.Username()
	cfg.Passwd, _ = u.User.Password()
	cfg.DBName = strings.TrimPrefix(u.Path, "/")
	cfg.Net, cfg.Addr = "tcp", u.Host
	if u.Port() == "" {
		cfg.Addr = net.JoinHostPort(u.Hostname(), "3306")
	}
	for name, values := range u.Query() {
		switch name {
		case "socket":
			cfg.Net, cfg.Addr = "unix", values[0]
		case "tls":
			cfg.TLSConfig = values[0]
		default:
			return nil, fmt.Errorf("%w: %s: the option %q is not known; there are socket and tls (true, skip-verify, preferred)",
				ErrURL, Redact(address), name)
		}
	}
	if cfg.Net == "tcp" && u.Hostname() == "" {
		return nil, wrong
	}
	cfg.Timeout, cfg.DialFunc = dialTimeout, l.dial
	cfg.ParseTime, cfg.ClientFoundRows = true, true
	cfg.Collation = "utf8mb4_bin"
	cfg.Logger = quiet{}
	cfg.Params = map[string]string{"sql_mode": mode, "time_zone": "'+00:00'", "innodb_lock_wait_timeout": "10"}
	inner, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, wrong
	}
	settings := []string{"SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"}
	if readOnly {
		settings = append(settings, "SET SESSION TRANSACTION READ ONLY")
	}
	begin := func(ctx context.Context, c driver.Conn) (typesOf, error) {
		for _, text := range settings {
			if _, err := c.(driver.ExecerContext).ExecContext(ctx, text, nil); err != nil {
				return nil, err
			}
		}
		return nil, nil
	}
	return sql.OpenDB(&connector{inner: inner, dialect: MySQL, begin: begin}), nil
}

// quiet takes what the driver would write to standard error: the error is
// returned too.
type quiet struct{}

// Print does nothing.
func (quiet) Print(...any) {}

func classifyMySQL(err error) (Fault, bool) {
	if errors.Is(err, mysql.ErrInvalidConn) {
		return FaultAway, true
	}
	var me *mysql.MySQLError
	if !errors.As(err, &me) {
		return FaultOther, false
	}
	switch me.Number {
	case 1062:
		return FaultConflict, true
	case 1213, 1205, 1020: // deadlock, lock wait, changed since it was read
		return FaultSerial, true
	case 1317, 3024, 1969:
		return FaultTimeout, true
	case 1290, 1792, 1836, 4001:
		return FaultReadOnly, true
	case 1040, 1053, 1077, 1079, 1152, 1159, 1161, 1184, 1203, 1226, 1927, 2006, 2013, 3169, 4031:
		return FaultAway, true
	case 1021, 1114, 3675:
		return FaultFull, true
	case 1026, 1030:
		return FaultIO, true
	case 1034, 1035, 1194, 1195, 1712:
		return FaultCorrupt, true
	case 1406, 1366, 1264, 1153, 1071, 1118:
		return FaultValue, true
	case 1044, 1045, 1049, 1142, 1143, 1227, 1370, 1698:
		return FaultDenied, true
	}
	return FaultOther, true
}
