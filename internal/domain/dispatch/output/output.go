// Package output keeps what the rows of jobs say while they run.
package output

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"time"

	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/kit/errs"
	"sextant/sdk/go/wire"
)

const (
	// MaxPieces is how many pieces of output are answered at once.
	MaxPieces = 5000
	maxPiece  = 32 << 10 // bytes of output in one stored row
)

// Mark is how far a reader of an object's output is.
type Mark struct {
	Round  int
	Offset int64
}

// String is the form in which a reader gives it back.
func (m Mark) String() string { return fmt.Sprintf("%d.%d", m.Round, m.Offset) }

// ReadMark reads what String wrote; the zero mark is before everything.
func ReadMark(id string) (Mark, error) {
	if id == "" {
		return Mark{Offset: -1}, nil
	}
	round, offset, _ := strings.Cut(id, ".")
	r, err1 := strconv.Atoi(round)
	o, err2 := strconv.ParseInt(offset, 10, 64)
	if err1 != nil || err2 != nil {
		return Mark{}, errs.New(errs.Malformed, "stream.last_event_id", "the Last-Event-ID %.40q is not one that was sent", id)
	}
	return Mark{r, o}, nil
}

// Store keeps a piece of output; one that begins where another does is known.
func Store(tx *db.Tx, job int64, round int, c wire.LogChunk, now time.Time) error {
	for at := 0; at < len(c.Bytes); at += maxPiece {
		part := wire.LogChunk{Row: c.Row, Offset: c.Offset + int64(at), Bytes: c.Bytes[at:min(at+maxPiece, len(c.Bytes))]}
		if err := store(tx, job, round, part, now); err != nil {
			return err
		}
	}
	return nil
}

func store(tx *db.Tx, job int64, round int, c wire.LogChunk, now time.Time) error {
	var known int
	err := tx.QueryRow(context.Background(), "SELECT COUNT(*) FROM dispatch_log WHERE job = ? AND object = ? AND round = ? AND pos = ?", job, c.Row, round, c.Offset).Scan(&known)
	if err != nil || known > 0 {
		return err
	}
	_, err = tx.Exec("INSERT INTO dispatch_log (job, object, round, pos, time, data) VALUES (?, ?, ?, ?, ?, ?)",
		job, c.Row, round, c.Offset, clock.Micros(now), c.Bytes)
	return err
}

// Piece is live output of a row from an offset on.
type Piece struct {
	Object string    `json:"object"`
	Round  int       `json:"round"`
	Offset int64     `json:"offset"`
	Time   time.Time `json:"time"`
	Text   string    `json:"text"`
}

// Of reads the output of a job, or of one of its objects.
func Of(ctx context.Context, q db.Querier, job int64, object string) ([]Piece, error) {
	query, args := "SELECT object, round, pos, time, data FROM dispatch_log WHERE job = ?", []any{job}
	if object != "" {
		query, args = query+" AND object = ?", append(args, object)
	}
	rows, err := q.Query(ctx, query+" ORDER BY object, round, pos LIMIT ?", append(args, MaxPieces)...)
	return db.Scan(rows, err, scanPiece)
}

// After reads the output of an object's row behind a mark.
func After(ctx context.Context, q db.Querier, job int64, object string, from Mark) ([]Piece, error) {
	rows, err := q.Query(ctx, "SELECT object, round, pos, time, data FROM dispatch_log WHERE job = ? AND object = ? AND (round > ? OR round = ? AND pos > ?) ORDER BY round, pos LIMIT ?",
		job, object, from.Round, from.Round, from.Offset, MaxPieces)
	return db.Scan(rows, err, scanPiece)
}

func scanPiece(r *sql.Rows) (Piece, error) {
	var p Piece
	var at int64
	var data []byte
	err := r.Scan(&p.Object, &p.Round, &p.Offset, &at, &data)
	p.Time, p.Text = clock.FromMicros(at), string(data)
	return p, err
}
