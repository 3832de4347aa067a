// Command seed fills the data folder of a server that is not running with runs
// that are over, for tests and measurements of long lists.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"path/filepath"
	"time"

	"sextant/internal/kit/db"
)

const (
	batch      = 2000 // runs of a transaction
	definition = 1
)

func main() {
	data := flag.String("data", "", "data folder of a server that has run once and is stopped")
	runs := flag.Int("runs", 100_000, "how many runs")
	flag.Parse()
	if err := seed(context.Background(), filepath.Join(*data, "sextant.db"), *runs); err != nil {
		log.Fatal(err)
	}
}

func seed(ctx context.Context, file string, runs int) error {
	d, err := db.Open(ctx, "sqlite:"+file)
	if err != nil {
		return err
	}
	err = d.Do(ctx, func(tx *db.Tx) error {
		_,
			err := tx.Exec("INSERT INTO process_definition (definition, project, process, version, name, digest, subject, created) "+
			"VALUES (?, 'default', 'nightly', 7, 'Nightly', '', 'admin', 0)", definition)
		return err
	})
	for from := 0; err == nil && from < runs; from += batch {
		err = d.Do(ctx, func(tx *db.Tx) error {
			for i := from; i < min(from+batch, runs); i++ {
				if err := insert(tx, i); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := d.Close(); err != nil {
		return err
	}
	return err
}

// insert writes a run: one started every minute, up to now.
func insert(tx *db.Tx, i int) error {
	began := time.Now().Add(-time.Duration(i+5) * time.Minute).UnixMicro()
	state, code := "completed", ""
	switch {
	case i%97 == 0:
		state, code = "failed", "release.stopped"
	case i%211 == 0:
		state, code = "cancelled", "not tonight"
	}
	object := fmt.Sprintf("host:host/web-%04d", i%2000)
	subject := []string{"admin", "ann", "bo", "deploy-bot"}[i%4]
	_,
		err := tx.Exec("INSERT INTO process_run (run, project, definition, process, title, subject, verdict, state, code, incidents, "+
		"objects, started, ended) VALUES (?, 'default', ?, 'nightly', ?, ?, '', ?, ?, 0, ?, ?, ?)",
		i+10, definition, fmt.Sprintf("Nightly check of %s", object[10:]), subject, state, code, object, began,
		began+time.Duration(i%90*int(time.Second)).Microseconds())
	if err != nil {
		return err
	}
	_, err = tx.Exec("INSERT INTO process_run_object (project, object, run) VALUES ('default', ?, ?)", object, i+10)
	return err
}
