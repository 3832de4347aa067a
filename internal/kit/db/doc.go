// Package db is the one way to the platform's database.
//
// All writes go through DB.Do: functions are queued per database, each runs in
// a savepoint of its own, many share one commit, and Do returns after the
// commit was synced. So a verdict, a lock, an audit record and the engine's
// state that belong to one command either all exist afterwards or none does,
// and a thousand callers pay for few syncs.
//
//	Do(fn) ─► queue ─► BEGIN ─ savepoint fn1 ─ savepoint fn2 … ─ COMMIT(sync) ─► AfterCommit hooks ─► Do returns
//
// A function may run again (a serialisation failure, or a neighbour that broke
// the transaction) and must have no effect outside its Tx; effects belong into
// AfterCommit. Reads outside a write use DB itself, on connections that cannot
// write.
//
// The SQL in use is the subset that SQLite, MySQL and PostgreSQL share: no
// RETURNING, no partial indexes, no predicates on JSON, times as int64 UTC
// microseconds, booleans as 0 and 1, upserts through Tx.Upsert or in its form.
//
// On a server a commit has one more row, db_writer, which counts the commits of
// the one program that writes: see remote.go for what follows when the
// connection breaks.
package db
