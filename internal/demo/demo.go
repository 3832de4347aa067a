// Package demo shows the main job: it starts the platform on embedded parts,
// hosts and a balancer, and releases a real application over them while a client
// sends requests all the time.
//
//	server ─► hosts, balancer ─► objects ─► first deployment ─► good release ─► broken release, rolled back
//
// Everything goes through the API, as a user's commands do.
package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"sextant/internal/config"
	"sextant/internal/demo/stage"
	"sextant/internal/demo/traffic"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/obs"
	"sextant/internal/server"
	"sextant/internal/terminal/live"
	"sextant/sdk/go/client"
)

const (
	unit     = "cmdb:unit/guestbook-web"
	greenFor = 2 * time.Minute // longest for one release
)

// Options is how the demo is run.
type Options struct {
	// Dir holds the server's data, the hosts' homes and the log-in.
	Dir     string
	Listen  string
	Exe     string
	Version string
	Out     io.Writer
	Err     io.Writer
	// Terminal draws in place.
	Terminal bool
	Size     live.Size
	// CI wants real sshd and nginx, unless Own is set, checks everything and ends.
	CI bool
	// Own takes small servers of this program for hosts and balancer, whatever
	// the machine has.
	Own bool
	// Report is a file for the figures; empty for none.
	Report string
	// Began is when the program was started.
	Began time.Time
}

// Report is what the demo measured.
type Report struct {
	FirstGreen     float64 `json:"first_green_s"`
	RequestsServed int     `json:"requests_served"`
	RequestsFailed int     `json:"requests_failed"`
	Real           bool    `json:"real"`
}

// show is a demo under way.
type show struct {
	Options
	*client.Client
	server  *server.Server
	stage   *stage.Stage
	traffic *traffic.Client
	untold  func() // ends the telling of what was counted
	lines   []line
	report  Report
}

// line is a row of the table at the end.
type line struct {
	name, result string
	took         time.Duration
}

// Run plays the demo. Without CI it then waits for ctx to end, with the server
// and the hosts running.
func Run(ctx context.Context, o Options) (err error) {
	s := &show{Options: o}
	defer func() { err = errors.Join(err, s.close()) }()
	acts := []struct {
		name string
		play func(context.Context) (string, error)
	}{
		{"Start the server", s.start},
		{"Start hosts and balancer", s.raise},
		{"Load objects, processes, connection", s.load},
		{"Deploy guestbook 1.0.0", s.deploy},
		{"Release 1.1.0, a good one", s.good},
		{"Release 1.2.0, a broken one", s.broken},
	}
	for _, a := range acts {
		began := time.Now()
		s.say("\n%s …", a.name)
		result, err := a.play(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", a.name, err)
		}
		s.say("%s, after %.1f s", result, time.Since(began).Seconds())
		s.lines = append(s.lines, line{a.name, result, time.Since(began)})
	}
	if o.CI {
		if err := s.check(ctx); err != nil {
			return err
		}
	}
	s.finish()
	if o.CI {
		return s.write()
	}
	s.invite()
	<-ctx.Done()
	return nil
}

func (s *show) say(format string, args ...any) { _, _ = fmt.Fprintf(s.Err, format+"\n", args...) }

func (s *show) start(ctx context.Context) (string, error) {
	l, err := config.Load("",
		map[string]any{"data": filepath.Join(s.Dir, "data"), "listen": s.Listen, "admin.listen": "", "plugins.reach": "127.0.0.0/8"})
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return "", err
	}
	file, err := os.OpenFile(filepath.Join(s.Dir, "server.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return "", err
	}
	log := obs.NewLogger(file, slog.LevelInfo, obs.Text)
	s.server,
		err = server.Open(ctx, server.Options{Config: l.Config, Settings: l.Items, Version: s.Version, Clock: clock.Real{}, Log: log, Exe: s.Exe})
	if err != nil {
		return "", err
	}
	s.Client = &client.Client{URL: s.server.URL()}
	return s.server.URL(), s.login(ctx)
}

// login uses the one-time link of the first start, and then the log-in that was
// kept.
func (s *show) login(ctx context.Context) error {
	kept := filepath.Join(s.Dir, "credentials.json")
	if s.server.First == nil {
		data, err := os.ReadFile(kept)
		if err != nil {
			return fmt.Errorf("the folder %s was used before and its log-in is gone: remove the folder, or use another with --dir (%w)", s.Dir, err)
		}
		var c struct{ URL, Token string }
		if err := json.Unmarshal(data, &c); err != nil {
			return err
		}
		s.Token = c.Token
		return nil
	}
	var out client.SessionOutBody
	if err := s.Call(ctx, "POST", "/api/v1/session/link", client.RedeemInBody{Link: s.server.First.Link}, &out); err != nil {
		return err
	}
	s.Token = out.Token
	var token client.CreateOutBody
	if err := s.Call(ctx, "POST", "/api/v1/tokens", map[string]any{"name": "demo", "days": 30}, &token); err != nil {
		return err
	}
	s.Token = token.Token
	data, err := json.Marshal(map[string]string{"url": s.URL, "token": s.Token})
	if err != nil {
		return err
	}
	if err := os.WriteFile(s.passwordFile(), []byte(s.server.First.Password+"\n"), 0o600); err != nil {
		return err
	}
	return os.WriteFile(kept, data, 0o600)
}

// passwordFile keeps the administrator's password beside the log-in, so that
// whoever plays the demo can sign in to its console.
func (s *show) passwordFile() string { return filepath.Join(s.Dir, "admin-password.txt") }

func (s *show) raise(ctx context.Context) (string, error) {
	var err error
	dir, err := filepath.Abs(filepath.Join(s.Dir, "stage"))
	if err != nil {
		return "", err
	}
	s.stage, err = stage.Open(ctx, stage.Options{Dir: dir, Exe: s.Exe, Real: s.CI && !s.Own, Own: s.Own, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return "", err
	}
	s.report.Real = s.stage.Real
	if s.stage.Real {
		return "4 sshd, 1 nginx", nil
	}
	return "4 small SSH servers, 1 small proxy", nil
}

// close ends what the demo has started.
func (s *show) close() error {
	var all []error
	if s.traffic != nil {
		s.untold()
		s.traffic.Stop()
	}
	if s.server != nil {
		all = append(all, s.server.Close())
	}
	if s.stage != nil {
		all = append(all, s.stage.Stop())
	}
	return errors.Join(all...)
}

func (s *show) write() error {
	if s.Report == "" {
		return nil
	}
	data, err := json.Marshal(s.report)
	if err != nil {
		return err
	}
	return os.WriteFile(s.Report, append(data, '\n'), 0o644)
}
