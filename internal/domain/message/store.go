package message

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"time"

	"sextant/internal/domain/identity"
	"sextant/internal/kit/api"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
)

// post is a message or signal that was published.
type post struct {
	key, project, name, correlation, id string
	signal                              bool
	variables                           map[string]json.RawMessage
	rights                              identity.Rights
	chain                               int // begins that led to the run that threw it, and this one
	created, expires                    time.Time
}

func (p post) source() string {
	if p.signal {
		return "signal"
	}
	return "message"
}

// names are those of its variables.
func (p post) names() []string {
	return slices.Sorted(maps.Keys(p.variables))
}

// wait is a run that waits for a message or signal.
type wait struct {
	subscription, run, element int64
	process                    string
}

// target is who is still to hear a signal: a run, or a process that begins with it.
type target struct {
	wait
	event string
}

// beginning is a process that begins with a message or signal, and its start event.
type beginning struct{ process, event string }

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

const postColumns = "message, project, is_signal, name, correlation, id, variables, rights, chain, created, expires"

func insertPost(tx *db.Tx, p post) error {
	variables, err := json.Marshal(p.variables)
	if err != nil {
		return err
	}
	rights, err := json.Marshal(p.rights)
	if err != nil {
		return err
	}
	_, err = tx.Exec("INSERT INTO message_post ("+postColumns+", subject, told) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)",
		p.key, p.project, flag(p.signal), p.name, p.correlation, p.id, string(variables),
		string(rights), p.chain, clock.Micros(p.created), clock.Micros(p.expires), p.rights.Subject)
	return err
}

func scanPost(r *sql.Rows) (p post, err error) {
	var signal int
	var variables, rights string
	var created, expires int64
	if err = r.Scan(&p.key, &p.project, &signal, &p.name, &p.correlation,
		&p.id, &variables, &rights, &p.chain, &created, &expires); err != nil {
		return p, err
	}
	p.signal, p.created, p.expires = signal == 1, clock.FromMicros(created), clock.FromMicros(expires)
	if err = json.Unmarshal([]byte(variables), &p.variables); err == nil {
		err = json.Unmarshal([]byte(rights), &p.rights)
	}
	return p, err
}

func markTold(tx *db.Tx, key string) error {
	_, err := tx.Exec("UPDATE message_post SET told = 1 WHERE message = ?", key)
	return err
}

func dropPost(tx *db.Tx, key string) error {
	for _, text := range []string{"DELETE FROM message_post WHERE message = ?",
		"DELETE FROM message_taken WHERE message = ?", "DELETE FROM message_target WHERE message = ?"} {
		if _, err := tx.Exec(text, key); err != nil {
			return err
		}
	}
	return nil
}

// untold lists posts whose telling was not finished, the oldest first.
func untold(ctx context.Context, q db.Querier, after string, limit int) ([]post, error) {
	rows, err := q.Query(ctx, "SELECT "+postColumns+" FROM message_post WHERE told = 0 AND message > ? ORDER BY message LIMIT ?", after, limit)
	return db.Scan(rows, err, scanPost)
}

// bufferedFor lists the messages that a run of a process could take which waits for
// them, the oldest first.
func bufferedFor(ctx context.Context, q db.Querier, o opened, now int64) ([]post, error) {
	rows, err := q.Query(ctx, "SELECT "+postColumns+` FROM message_post p `+
		`WHERE project = ? AND is_signal = 0 AND name = ? AND correlation = ? AND expires > ?
AND NOT EXISTS (SELECT 1 FROM message_taken t WHERE t.message = p.message AND t.process = ?) ORDER BY message LIMIT 100`,
		o.project, o.name, o.correlation, now, o.process)
	return db.Scan(rows, err, scanPost)
}

func expired(ctx context.Context, q db.Querier, now int64) ([]string, error) {
	rows, err := q.Query(ctx, "SELECT message FROM message_post WHERE told = 1 AND expires <= ? ORDER BY expires LIMIT 500", now)
	return db.Scan(rows, err, func(r *sql.Rows) (key string, err error) { return key, r.Scan(&key) })
}

// snapshot keeps everything that waits for a signal now as its targets.
func snapshot(tx *db.Tx, p post) error {
	_, err := tx.Exec(`INSERT INTO message_target (message, subscription, process, run, element, event)
SELECT ?, subscription, process, run, element, '' FROM message_wait WHERE project = ? AND is_signal = 1 AND name = ?`,
		p.key, p.project, p.name)
	if err != nil {
		return err
	}
	_, err = tx.Exec(`INSERT INTO message_target (message, subscription, process, run, element, event)
SELECT ?, 0, process, 0, 0, event FROM message_start WHERE project = ? AND is_signal = 1 AND name = ?`, p.key, p.project, p.name)
	return err
}

func targets(ctx context.Context, q db.Querier, key string) ([]target, error) {
	rows, err := q.Query(ctx, "SELECT subscription, process, run, element, event "+
		"FROM message_target WHERE message = ? ORDER BY subscription, process", key)
	return db.Scan(rows, err, func(r *sql.Rows) (t target, err error) {
		return t, r.Scan(&t.subscription, &t.process, &t.run, &t.element, &t.event)
	})
}

// dropTarget notes that a target has heard a signal; errHeard where it had before.
func dropTarget(tx *db.Tx, key string, t target) error {
	n, err := tx.Exec("DELETE FROM message_target WHERE message = ? AND subscription = ? AND process = ?", key, t.subscription, t.process)
	if err == nil && n == 0 {
		err = errHeard
	}
	return err
}

// waiting lists the runs that wait for a message and whose process has none yet, the
// one that has waited longest first.
func waiting(ctx context.Context, q db.Querier, p post) ([]wait, error) {
	rows, err := q.Query(ctx, `SELECT subscription, run, element, process `+
		`FROM message_wait w WHERE project = ? AND is_signal = 0 AND name = ? AND correlation = ?
AND NOT EXISTS (SELECT 1 FROM message_taken t WHERE t.message = ? AND t.process = w.process) ORDER BY since, subscription`,
		p.project, p.name, p.correlation, p.key)
	return db.Scan(rows, err, func(r *sql.Rows) (w wait, err error) {
		return w, r.Scan(&w.subscription, &w.run, &w.element, &w.process)
	})
}

// beginnings lists the processes that begin with a message and have not taken it.
func beginnings(ctx context.Context, q db.Querier, p post) ([]beginning, error) {
	rows, err := q.Query(ctx, `SELECT process, event FROM message_start s WHERE project = ? AND is_signal = 0 AND name = ?
AND NOT EXISTS (SELECT 1 FROM message_taken t WHERE t.message = ? AND t.process = s.process) ORDER BY process`, p.project, p.name, p.key)
	return db.Scan(rows, err, func(r *sql.Rows) (b beginning, err error) { return b, r.Scan(&b.process, &b.event) })
}

// What counts the rows of runs that messages began.
const (
	countChains = "SELECT run, 1 FROM message_chain"
	countBegun  = "SELECT run, COUNT(*) FROM message_begun GROUP BY run"
)

func insertTaken(tx *db.Tx, key, process string, run int64) error {
	_, err := tx.Exec("INSERT INTO message_taken (message, process, run) VALUES (?, ?, ?)", key, process, run)
	return err
}

// begun reports whether a run is at work that began with a message of the same key.
func begun(ctx context.Context, q db.Querier, p post, process string) (bool, error) {
	if p.correlation == "" {
		return false, nil
	}
	var n int
	err := q.QueryRow(ctx, "SELECT COUNT(*) FROM message_begun WHERE project = ? AND process = ? AND correlation = ?",
		p.project, process, p.correlation).Scan(&n)
	return n > 0, err
}

func insertBegun(tx *db.Tx, p post, process string, run int64) error {
	_, err := tx.Exec("INSERT INTO message_begun (project, process, correlation, run) VALUES (?, ?, ?, ?)",
		p.project, process, p.correlation, run)
	return err
}

// freeBegun frees the key with which a run began: messages with it are told again. It
// says whether the run had one.
func freeBegun(tx *db.Tx, run int64) (bool, error) {
	type key struct{ project, correlation string }
	rows, err := tx.Query(context.Background(), "SELECT project, correlation FROM message_begun WHERE run = ?", run)
	keys, err := db.Scan(rows, err, func(r *sql.Rows) (k key, err error) { return k, r.Scan(&k.project, &k.correlation) })
	if err != nil || len(keys) == 0 {
		return false, err
	}
	for _, k := range keys { // several where others were merged with it
		if _, err := tx.Exec("UPDATE message_post SET told = 0 WHERE project = ? AND is_signal = 0 AND correlation = ? AND told = 1",
			k.project, k.correlation); err != nil {
			return false, err
		}
	}
	_, err = tx.Exec("DELETE FROM message_begun WHERE run = ?", run)
	return true, err
}

// chainOf counts the begins that led to a run.
func chainOf(tx *db.Tx, run int64) (n int, err error) {
	err = tx.QueryRow(context.Background(), "SELECT chain FROM message_chain WHERE run = ?", run).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return n, err
}

func insertChain(tx *db.Tx, run int64, n int) error {
	_, err := tx.Exec("INSERT INTO message_chain (run, chain) VALUES (?, ?)", run, n)
	return err
}

func dropChain(tx *db.Tx, run int64) error {
	_, err := tx.Exec("DELETE FROM message_chain WHERE run = ?", run)
	return err
}

// Waiting is something that waits for a message or a signal.
type Waiting struct {
	Subscription api.Key   `json:"subscription"`
	Run          api.Key   `json:"run"`
	Process      string    `json:"process"`
	Element      string    `json:"element" doc:"Id of the event or task that waits"`
	Kind         string    `json:"kind" enum:"message,signal"`
	Name         string    `json:"name"`
	Correlation  string    `json:"correlationKey,omitempty"`
	Since        time.Time `json:"since"`
}

func findWaits(ctx context.Context, q db.Querier, f Filter, seen string, more []any) ([]Waiting, error) {
	query, args := "SELECT subscription, run, process, node, is_signal, name, correlation, since "+
		"FROM message_wait WHERE project = ? AND subscription > ?", []any{f.Project, f.after}
	if f.Run.Key != 0 {
		query, args = query+" AND run = ?", append(args, int64(f.Run.Key))
	}
	if f.Name != "" {
		query, args = query+" AND name = ?", append(args, f.Name)
	}
	if seen != "" {
		query, args = query+" AND "+seen, append(args, more...)
	}
	rows, err := q.Query(ctx, query+" ORDER BY subscription LIMIT ?", append(args, f.Limit+1)...)
	return db.Scan(rows, err, func(r *sql.Rows) (w Waiting, err error) {
		var signal int
		var since int64
		err = r.Scan(&w.Subscription, &w.Run, &w.Process, &w.Element, &signal, &w.Name, &w.Correlation, &since)
		w.Kind, w.Since = post{signal: signal == 1}.source(), clock.FromMicros(since)
		return w, err
	})
}

// freshWaits lists those who came to wait for a message and have not been looked at.
func freshWaits(ctx context.Context, q db.Querier, limit int) ([]opened, error) {
	rows, err := q.Query(ctx, `SELECT f.subscription, COALESCE(w.run, `+
		`0), COALESCE(w.element, 0), COALESCE(w.process, ''), COALESCE(w.project, ''), COALESCE(w.name, ''), COALESCE(w.correlation, '')
FROM message_fresh f LEFT JOIN message_wait w ON w.subscription = f.subscription ORDER BY f.subscription LIMIT ?`, limit)
	return db.Scan(rows, err, func(r *sql.Rows) (o opened, err error) {
		return o, r.Scan(&o.subscription, &o.run, &o.element, &o.process, &o.project, &o.name, &o.correlation)
	})
}

func dropFresh(tx *db.Tx, subscription int64) error {
	_, err := tx.Exec("DELETE FROM message_fresh WHERE subscription = ?", subscription)
	return err
}
