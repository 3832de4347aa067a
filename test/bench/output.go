package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sextant/internal/domain/dispatch/output"
	"sextant/internal/kit/clock"
	"sextant/sdk/go/client"
	"sextant/sdk/go/ssh/sshtest"
	"sextant/sdk/go/wire"
)

const (
	spokenLines = 500_000
	speaking    = `awk 'BEGIN { for (i = 1; i <= 500000; i++) printf "line %06d of a script that prints as fast as it ` +
		`can, word%d\n", i, i }'`
)

// outputFigures keeps what a fast script prints: through the whole platform from
// a real sshd, and into the store alone; beside cat, which keeps it in a file.
func outputFigures(r *report) error {
	dir, err := os.MkdirTemp("", "sextant-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "cat")
	begin := time.Now()
	if err := exec.Command("sh", "-c", speaking+" | cat >"+file).Run(); err != nil {
		return err
	}
	cat := spokenLines / time.Since(begin).Seconds()
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	stored, err := storedLines(dir, text)
	if err != nil {
		return err
	}
	r.add("output.store.lines_per_s", stored, "/s", 100_000,
		fmt.Sprintf("%d lines in posts of 256 KiB into the store, compressed and filtered; %.2f of cat > file", spokenLines, stored/cat))
	var whole float64
	testing.Benchmark(func(b *testing.B) { // lends the server something to belong to
		if b.N == 1 {
			whole, err = spoken(dir, sshtest.Start(b), string(text))
		}
	})
	if err != nil {
		return err
	}
	r.add("output.lines_per_s", whole, "/s", 100_000, "one script on a real sshd, from the request to the end of the run, every line kept")
	r.add("output.cat_ratio", whole/cat, "", 0.05, fmt.Sprintf("the same ÷ cat > file on this machine, %.0f lines/s", cat))
	return nil
}

// storedLines is how many lines a second the store takes.
func storedLines(dir string, text []byte) (float64, error) {
	s,
		err := output.Open(filepath.Join(dir, "store"),
		output.Options{PerJob: 1 << 40, Total: 1 << 40, Clock: clock.Real{}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return 0, err
	}
	defer s.Close()
	begin := time.Now()
	for at := 0; at < len(text); at += 256 << 10 {
		c := wire.LogChunk{Row: "host:host/h0", Offset: int64(at), Bytes: text[at:min(at+256<<10, len(text))]}
		if err := s.Keep(1, 2, 0, []wire.LogChunk{c}); err != nil {
			return 0, err
		}
	}
	return spokenLines / time.Since(begin).Seconds(), nil
}

// spoken is how many lines a second of a script the platform keeps.
func spoken(dir string, at *sshtest.Server, want string) (float64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	p, err := openRooms(ctx, filepath.Join(dir, "data"), nil)
	if err != nil {
		return 0, err
	}
	defer p.server.Close()
	refs, err := p.hosts(ctx, []*sshtest.Server{at})
	if err != nil {
		return 0, err
	}
	begin := time.Now()
	var v client.ControlVerdict
	body := map[string]any{"service": "host/script/run", "objects": refs,
		"variables": map[string]any{"script": speaking, "credential": "connection/bench"}}
	if err := p.Call(ctx, "POST", "/api/v1/calls", body, &v); err != nil {
		return 0, err
	}
	if err := p.Watch(ctx, v.Run, nil, func(u client.Update) bool { return u.Run.State == "active" }); err != nil {
		return 0, err
	}
	took := time.Since(begin)
	var jobs client.PageOfDispatchJobState
	if err := p.Call(ctx, "GET", "/api/v1/runs/"+v.Run+"/jobs", nil, &jobs); err != nil {
		return 0, err
	}
	got, err := p.Download(ctx, client.Query("/api/v1/jobs/"+jobs.Items[0].Job+"/output/text", "object", refs[0]))
	if err == nil && string(got) != want {
		err = errors.New("what was kept is not what the script printed: " + strings.ToValidUTF8(string(got[max(0, len(got)-200):]), ""))
	}
	return spokenLines / took.Seconds(), err
}
