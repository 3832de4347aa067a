package durable_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sextant/internal/engine"
	"sextant/internal/engine/durable"
	"sextant/internal/engine/state"
	"sextant/internal/kit/db"
	"sextant/internal/testkit/dbserver"
)

var update = flag.Bool("update", false, "write the files of a format that has none yet")

// newest is the format in which history is written today.
const newest = "1"

// every is one fact of each kind.
func every() []engine.Fact {
	at := time.Date(2026, 11, 24, 8, 0, 0, 123000, time.UTC)
	var all []engine.Fact
	for kind := engine.FactStarted; kind <= engine.FactRetried; kind++ {
		f := engine.Fact{Kind: kind, Time: at.Add(time.Duration(kind) * time.Millisecond), Node: int32(kind) * 100, Key: 5000 + state.Key(kind)}
		switch kind {
		case engine.FactVariable:
			f.Text, f.Data = "版本", json.RawMessage(`1.10`)
		case engine.FactIncident, engine.FactJobFailed:
			f.Text, f.Data = "it broke", json.RawMessage(`12`)
		}
		all = append(all, f)
	}
	return all
}

// History that was ever written is read as it was meant, and the same facts are
// still written in the same bytes.
func TestHistoryOfEveryFormatIsRead(t *testing.T) {
	t.Parallel()
	file := filepath.Join("testdata", "history"+newest)
	now := hex.EncodeToString(durable.EncodeFacts(5000, every())) + "\n"
	if _, err := os.Stat(file + ".chunk"); *update && err != nil {
		var text strings.Builder
		for _, f := range every() {
			text.WriteString(said(f))
		}
		for name, data := range map[string]string{file + ".chunk": now, file + ".txt": text.String()} {
			if err := os.WriteFile(name, []byte(data), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	all, err := filepath.Glob(filepath.Join("testdata", "history*.chunk"))
	if err != nil || len(all) == 0 {
		t.Fatal("there are no files", err)
	}
	d := migrated(t)
	for i, name := range all {
		chunk, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if name == file+".chunk" && string(chunk) != now {
			t.Errorf("the format %s is written in other bytes than before: give it a new format byte and new files", newest)
		}
		want, err := os.ReadFile(strings.TrimSuffix(name, ".chunk") + ".txt")
		if err != nil {
			t.Fatal(err)
		}
		if got := readBack(t, d, int64(5000), int64(i), string(chunk)); got != string(want) {
			t.Errorf("%s is read as\n%s\nand was\n%s", name, got, want)
		}
	}
}

func said(f engine.Fact) string {
	return fmt.Sprintf("%d %s node %d key %d %q %s\n", f.Kind, f.Time.Format(time.RFC3339Nano), f.Node, f.Key, f.Text, f.Data)
}

func readBack(t *testing.T, d *db.DB, run, seq int64, chunk string) string {
	t.Helper()
	data, err := hex.DecodeString(strings.TrimSpace(chunk))
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	err = d.Do(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec("INSERT INTO engine_history (run, seq, data) VALUES (?, ?, ?)", run, seq, data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	chunks, err := durable.History(ctx, d, state.Key(run), seq, 1)
	if err != nil || len(chunks) != 1 {
		t.Fatal(chunks, err)
	}
	var text strings.Builder
	for _, f := range chunks[0].Facts {
		text.WriteString(said(f))
	}
	return text.String()
}

func migrated(t *testing.T) *db.DB {
	t.Helper()
	d, err := db.Open(context.Background(), dbserver.Address(t, filepath.Join(t.TempDir(), "s.db")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	if err := d.Migrate(context.Background(), durable.Domain, durable.Migrations); err != nil {
		t.Fatal(err)
	}
	return d
}
