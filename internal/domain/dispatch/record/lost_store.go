package record

import (
	"context"
	"time"

	"sextant/internal/kit/db"
	"sextant/sdk/go/wire"
)

// NoAnswer is the code of a row whose call was sent and has no answer.
const NoAnswer = "sextant.no_answer"

// Lost is the message of a row that was sent and of which nobody can be asked.
func Lost(why string) string {
	return "it was sent before the server was started anew, and the plugin cannot be asked what became of it: " +
		why + "; it may still be at work: look at what it acts on"
}

// Lose ends the calls of a job that were sent and have no answer: what became of
// their rows is unknown. It reports whether a row of a round under way is.
func Lose(ctx context.Context, tx *db.Tx, job int64, message string) (bool, error) {
	if _, err := tx.Exec("UPDATE dispatch_row SET outcome = ?, code = ?, message = ?, retry = '' "+
		"WHERE job = ? AND EXISTS (SELECT 1 FROM dispatch_chunk c "+
		"WHERE c.job = dispatch_row.job AND c.round = dispatch_row.round AND c.chunk = dispatch_row.chunk AND c.sent = 1 AND c.answered = 0)",
		string(wire.OutcomeUnknown), NoAnswer, message, job); err != nil {
		return false, err
	}
	if _, err := tx.Exec("UPDATE dispatch_chunk SET answered = 1 WHERE job = ? AND sent = 1 AND answered = 0", job); err != nil {
		return false, err
	}
	var n int
	err := tx.QueryRow(ctx, "SELECT COUNT(*) FROM dispatch_row r JOIN dispatch_job j ON j.job = r.job AND j.round = r.round "+
		"WHERE r.job = ? AND j.state = ? AND r.outcome = ?", job, Open, string(wire.OutcomeUnknown)).Scan(&n)
	return n > 0, err
}

// GiveUp ends a job on which nobody works any more: what was sent is unknown, and
// what was not sent was not begun.
func GiveUp(ctx context.Context, tx *db.Tx, job int64, message string, now time.Time) error {
	if _, err := Lose(ctx, tx, job, message); err != nil {
		return err
	}
	if _, err := tx.Exec("UPDATE dispatch_row SET outcome = ?, code = ?, message = ? WHERE job = ? AND outcome = ''",
		string(wire.OutcomeCancelled), "sextant.not_sent", NotSent, job); err != nil {
		return err
	}
	return SetState(tx, job, Stopped, now)
}

// NotSent is the message of a row of a step that was ended before its turn.
const NotSent = "the step was ended before its turn: nothing was done"
