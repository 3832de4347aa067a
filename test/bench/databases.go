package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"sextant/internal/testkit/dbserver"
	"sextant/sdk/go/sqldb"
)

// databaseFigures measures the engine and the whole way of a run on servers that sync
// each commit, beside what a plain program gets out of them.
func databaseFigures(r *report) error {
	for _, of := range []struct {
		name   string
		kind   sqldb.Dialect
		target float64
	}{{"pg", sqldb.Postgres, 2500}, {"mysql", sqldb.MySQL, 0}} {
		if err := figuresOn(r, of.name, of.kind, of.target); err != nil {
			return fmt.Errorf("%s: %w", of.name, err)
		}
	}
	return nil
}

func figuresOn(r *report, name string, kind sqldb.Dialect, target float64) error {
	for _, w := range []struct {
		name, src string
		target    float64
	}{{"w1", sequenceOf(1), target}, {"w2", sequenceOf(10), 0}, {"w3", parallelOf(10), 0}} {
		rate, err := engineOn(kind, w.src)
		if err != nil {
			return err
		}
		r.add("engine."+name+"."+w.name+".rate64", rate, "/s", w.target, "64 callers, a server on the same machine that syncs each commit")
	}
	floor, err := floorOf(kind)
	if err != nil {
		return err
	}
	r.add("engine."+name+".floor.rows", floor, "/s", 0,
		"rows of 100 bytes that a plain program inserts there, a hundred in each synced commit")
	address, stop, err := dbserver.Synced(kind)
	if err != nil {
		return err
	}
	defer stop()
	return wholeWay(r, "run."+name+".w1.rate64", map[string]any{"database": address})
}

func engineOn(kind sqldb.Dialect, src string) (float64, error) {
	address, stop, err := dbserver.Synced(kind)
	if err != nil {
		return 0, err
	}
	defer stop()
	rig, err := newRigOn(address, src)
	if err != nil {
		return 0, err
	}
	defer rig.close()
	if _, err := drive(64, time.Second/2, rig.one); err != nil { // until its statements are prepared
		return 0, err
	}
	l, err := drive(64, 2*time.Second, rig.one)
	return l.rate(), err
}

// floorOf inserts rows one after the other with the driver alone.
func floorOf(kind sqldb.Dialect) (float64, error) {
	address, stop, err := dbserver.Synced(kind)
	if err != nil {
		return 0, err
	}
	defer stop()
	ctx := context.Background()
	db, _, err := sqldb.Open(address, false)
	if err != nil {
		return 0, err
	}
	defer db.Close()
	body := "VARBINARY(200)"
	if kind == sqldb.Postgres {
		body = "BYTEA"
	}
	if _, err := db.ExecContext(ctx, "CREATE TABLE floor_row (id BIGINT NOT NULL PRIMARY KEY, body "+body+" NOT NULL)"); err != nil {
		return 0, err
	}
	text := "INSERT INTO floor_row (id, body) VALUES "
	for i := range 100 {
		if i > 0 {
			text += ", "
		}
		text += "(?, ?)"
	}
	n, begun := 0, time.Now()
	for time.Since(begun) < 2*time.Second {
		var args []any
		for range 100 {
			args = append(args, n, make([]byte, 100))
			n++
		}
		if _, err := db.ExecContext(ctx, text, args...); err != nil {
			return 0, err
		}
	}
	return float64(n) / time.Since(begun).Seconds(), nil
}

// wholeWay is doorFigures with other settings.
func wholeWay(r *report, name string, settings map[string]any) error {
	dir, err := os.MkdirTemp("", "sextant-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	return runsOn(r, name, dir, settings)
}
