package sqldb

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// Fragile lists the settings of a database server under which a power cut, or the end of
// the server, may take what it acknowledged, with what they should be; none where it
// keeps that. Its error is that of the question.
func Fragile(ctx context.Context, db *sql.DB, dialect Dialect) ([]string, error) {
	wants := map[Dialect][][2]string{
		Postgres: {{"SELECT current_setting('fsync')", "fsync on"}, {"SELECT current_setting('full_page_writes')", "full_page_writes on"},
			{"SELECT current_setting('synchronous_commit')", "synchronous_commit on local remote_write remote_apply"}},
		MySQL: {{"SELECT CAST(@@GLOBAL.innodb_flush_log_at_trx_commit AS CHAR)", "innodb_flush_log_at_trx_commit 1"},
			{"SELECT IF(@@GLOBAL.log_bin = 0, '1', CAST(@@GLOBAL.sync_binlog AS CHAR))", "sync_binlog 1"}},
	}[dialect]
	var all []string
	for _, want := range wants {
		var is string
		if err := db.QueryRowContext(ctx, want[0]).Scan(&is); err != nil {
			return nil, fmt.Errorf("ask the database how safe it is: %w", err)
		}
		words := strings.Fields(want[1])
		if !strings.Contains(" "+strings.Join(words[1:], " ")+" ", " "+is+" ") {
			all = append(all, fmt.Sprintf("%s is %s and should be %s", words[0], is, words[1]))
		}
	}
	return all, nil
}
