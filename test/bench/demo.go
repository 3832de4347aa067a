package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// demoFigures plays the demo as `make demo DEMO=ci` does and takes its figures.
func demoFigures(r *report) error {
	dir, err := os.MkdirTemp("", "sextant-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	bin, file := filepath.Join(dir, "sextant"), filepath.Join(dir, "report.json")
	build := exec.Command("go", "build", "-o", bin, "./cmd/sextant")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	listen, err := freePort()
	if err != nil {
		return err
	}
	play := exec.Command(bin, "demo", "--ci", "--dir", filepath.Join(dir, "demo"), "--listen", listen, "--report", file)
	if out, err := play.CombinedOutput(); err != nil {
		return fmt.Errorf("the demo failed: %w: %s", err, out)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var figures struct {
		FirstGreen float64 `json:"first_green_s"`
		Served     int     `json:"requests_served"`
		Failed     int     `json:"requests_failed"`
	}
	if err := json.Unmarshal(data, &figures); err != nil {
		return err
	}
	r.add("demo.first_green_s", figures.FirstGreen, "s", 60,
		"from the start of the program to the first green release, real sshd and nginx")
	r.add("demo.requests_failed", float64(figures.Failed), "", 0,
		fmt.Sprintf("of %d sent during a deployment, a release and a rolled-back release", figures.Served+figures.Failed))
	return nil
}
