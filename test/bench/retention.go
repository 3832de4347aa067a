package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"sextant/internal/config"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/db"
	"sextant/internal/server"
	"sextant/sdk/go/client"
	"sextant/sdk/go/plugin"
	"sextant/sdk/go/wire"
)

const (
	oldRows     = 1_000_000 // events, audit records and pieces of history; another number may be an argument
	factsOfRun  = 100       // pieces of history
	filledOnce  = 5000      // rows of a transaction while the store is filled
	underWay    = 1000      // runs of the callers at once
	ageOfFilled = 48 * time.Hour
)

// retentionFigures measures how what is old is removed while 64 callers start runs: a
// store of many rows, first kept for ever, then for a day.
func retentionFigures(r *report) error {
	rows := oldRows
	for _, a := range os.Args[1:] {
		if n, err := strconv.Atoi(a); err == nil {
			rows = n
		}
	}
	dir, err := os.MkdirTemp("", "sextant-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if _, err := keeping(dir, 0, func(*rooms) error { return nil }); err != nil { // which makes the tables
		return err
	}
	file := filepath.Join(dir, "sextant.db")
	start := time.Now()
	if err := fillOld(context.Background(), file, rows); err != nil {
		return err
	}
	r.add("retention.filled_rows", float64(rows), "rows", 0, fmt.Sprintf("filled in %s", time.Since(start).Round(time.Second)))
	r.add("retention.file_mb_before", megabytes(file), "MB", 0, "the database with all of them")
	before, err := keeping(dir, 0, nil)
	if err != nil {
		return err
	}
	r.add("retention.starts_alone", before.rate(), "/s", 0, "64 callers over HTTP, nothing is removed")
	r.add("retention.p99_alone_ms", before.percentile(0.99), "ms", 0, "of one such start")
	var all []swept
	during, err := keeping(dir, 1, func(p *rooms) (err error) {
		all, err = removing(p)
		return err
	})
	if err != nil {
		return err
	}
	for _, k := range all {
		if k.Removed > 0 {
			end, so := time.Now(), "so far "
			if k.Ended != nil {
				end, so = *k.Ended, ""
			}
			took := end.Sub(*k.Began)
			r.add("retention."+k.Kind, float64(k.Removed)/took.Seconds(), "/s", 0,
				fmt.Sprintf("%s%d removed within %s, while 64 callers start runs", so, k.Removed, took.Round(time.Millisecond)))
		}
	}
	r.add("retention.starts_meanwhile", during.rate(), "/s", 0, "64 callers over HTTP")
	r.add("retention.p99_meanwhile_ms", during.percentile(0.99), "ms", 0, "of one such start")
	r.add("retention.file_mb_after", megabytes(file), "MB", 0, "the same: SQLite uses free pages again, and gives none back")
	return freePages(r, file)
}

// keeping opens the platform with a time for which everything is kept, and lets 64
// callers start runs until the function has returned; without one, for 10 seconds.
func keeping(dir string, days int, until func(*rooms) error) (all load, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	l, err := config.Load("", map[string]any{
		"data": dir, "listen": "127.0.0.1:0", "admin.listen": "", "retention.events": days, "retention.audit": days, "retention.runs": days})
	if err != nil {
		return all, err
	}
	s, err := server.Open(ctx,
		server.Options{Config: l.Config, Version: "bench", Clock: clock.Real{}, Log: slog.New(slog.DiscardHandler), AdminPassword: password})
	if err != nil {
		return all, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	p := &rooms{server: s, Client: &client.Client{URL: s.URL(), HTTP: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 128}}}}
	var out client.SessionOutBody
	if err := p.Call(ctx, "POST", "/api/v1/session", client.LoginInBody{Name: "admin", Password: password}, &out); err != nil {
		return all, err
	}
	p.Token = out.Token
	free := make(chan struct{}, 2*underWay) // places for runs: what is started must be done, too
	for range underWay {
		free <- struct{}{}
	}
	noop := plugin.New(wire.Manifest{Plugin: "noop", Version: "1.0.0", Title: wire.Text{"en": "Nothing", "zh": "空"}})
	plugin.Action(noop,
		plugin.Spec{Service: "do", Action: "nothing", Title: wire.Text{"en": "Nothing", "zh": "空"}, Idempotent: true, Risk: wire.RiskRead},
		func(context.Context, *plugin.Call, nothing) (nothing, error) {
			free <- struct{}{}
			return nothing{}, nil
		})
	stop, err := p.plug(ctx, noop)
	if err != nil {
		return all, err
	}
	defer stop()
	ended := make(chan error, 1)
	if until != nil {
		go func() { ended <- until(p) }()
	}
	for turn := 0; ; turn++ {
		l, err := drive(64, 5*time.Second, func(context.Context) error {
			<-free
			return p.Call(ctx, "POST", "/api/v1/calls", map[string]any{"service": "noop/do/nothing"}, nil) // however long it takes
		})
		if err != nil {
			return all, err
		}
		fmt.Fprintf(os.Stderr, "  %.0f starts/s, p99 %.0f ms, longest %.0f ms\n", l.rate(), l.percentile(0.99), l.percentile(1))
		all.n, all.elapsed, all.latencies = all.n+l.n, all.elapsed+l.elapsed, append(all.latencies, l.latencies...)
		select {
		case err := <-ended:
			return all, err
		default:
			if until == nil && turn > 0 {
				return all, nil
			}
		}
	}
}

// swept is how it stands with a kind of thing.
type swept struct {
	Kind, State, Reason string
	Removed             int64
	Began, Ended        *time.Time
}

// watchedFor is how long the removal is measured at most.
const watchedFor = 20 * time.Minute

// removing waits until all that is old is removed.
func removing(p *rooms) ([]swept, error) {
	for start := time.Now(); ; {
		var page struct{ Items []swept }
		if err := p.Call(context.Background(), "GET", "/api/v1/retention", nil, &page); err != nil {
			return nil, err
		}
		open := false
		for _, i := range page.Items {
			if i.Reason != "" {
				return nil, fmt.Errorf("%s: %s", i.Kind, i.Reason)
			}
			open = open || i.State != "forever" && i.Ended == nil
		}
		if !open || time.Since(start) > watchedFor {
			return page.Items, nil
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// fillOld writes rows that are two days old: events, audit records, and runs with their
// history.
func fillOld(ctx context.Context, file string, rows int) error {
	d, err := db.Open(ctx, "sqlite:"+file)
	if err != nil {
		return err
	}
	at := time.Now().Add(-ageOfFilled).UnixMicro()
	data := []byte(
		`{"process":"rolling-release","element":"deploy","kind":"service_failed","message":"connection refused by web-1 after 8 s"}`)
	events, records := rows*4/10, rows*3/10
	err = d.Do(ctx, func(tx *db.Tx) error { // what is there comes after them
		for _, table := range []string{"bus_event", "audit_record", "bus_handler"} {
			if _, err := tx.Exec("UPDATE "+table+" SET seq = seq + ?", rows); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = filled(ctx, d, events, func(tx *db.Tx, i int) error {
		_, err := tx.Exec("INSERT INTO bus_event (id, seq, type, subject, project, time, data) "+
			"VALUES (?, ?, 'sextant.run.stopped.v1', ?, 'default', ?, ?)",
			fmt.Sprintf("01AA%022d", i), 1+int64(i), fmt.Sprintf("run/%d", i/3), at, data)
		return err
	})
	if err == nil {
		err = filled(ctx, d, records, func(tx *db.Tx, i int) error {
			_, err := tx.Exec("INSERT INTO audit_record (id, time, project, subject, verb, object, outcome, request, detail, name, seq) "+
				"VALUES (?, ?, 'default', 'user/1', 'object.write', ?, 'done', '', ?, ?, ?)",
				fmt.Sprintf("01AA%022d", i), at, fmt.Sprintf("host:host/web-%04d", i%5000), data, fmt.Sprintf("user-%02d", i%40), 1+int64(i))
			return err
		})
	}
	if err == nil {
		err = filled(ctx, d, rows-events-records, func(tx *db.Tx, i int) error { return oldFact(tx, i, at) })
	}
	return errors.Join(err, d.Close())
}

func oldFact(tx *db.Tx, i int, at int64) error {
	run := int64(1000 + i/factsOfRun)
	if i%factsOfRun == 0 {
		_, err := tx.Exec(
			"INSERT INTO process_run (run, project, definition, process, title, subject, verdict, state, code, incidents, objects, started, ended) "+
				"VALUES (?, 'default', 0, 'nightly', 'Nightly check', 'user/1', '', 'completed', '', 0, ?, ?, ?)",
			run, fmt.Sprintf("host:host/web-%04d", i%5000), at, at)
		if err != nil {
			return err
		}
	}
	_, err := tx.Exec("INSERT INTO engine_history (run, seq, data) VALUES (?, ?, ?)",
		run, i%factsOfRun, []byte("a fact of a run, about as long as they are, with what it says of a step"))
	return err
}

// filled writes n rows in large transactions.
func filled(ctx context.Context, d *db.DB, n int, one func(tx *db.Tx, i int) error) error {
	for from := 0; from < n; from += filledOnce {
		err := d.Do(ctx, func(tx *db.Tx) error {
			for i := from; i < min(from+filledOnce, n); i++ {
				if err := one(tx, i); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func megabytes(file string) float64 {
	var n int64
	for _, f := range []string{file, file + "-wal"} {
		if info, err := os.Stat(f); err == nil {
			n += info.Size()
		}
	}
	return float64(n) / (1 << 20)
}

func freePages(r *report, file string) error {
	d, err := db.Open(context.Background(), "sqlite:"+file)
	if err != nil {
		return err
	}
	defer d.Close()
	var free, all float64
	if err := d.QueryRow(context.Background(), "SELECT f.freelist_count, p.page_count FROM pragma_freelist_count f, pragma_page_count p").
		Scan(&free, &all); err != nil {
		return err
	}
	r.add("retention.free_share", 100*free/all, "%", 0, "of the file is free for what comes")
	return nil
}
