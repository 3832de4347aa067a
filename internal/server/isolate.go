package server

import (
	"context"
	"encoding/base64"
	"time"

	"sextant/internal/config"
	"sextant/internal/domain/gateway"
	"sextant/internal/driver/localproc"
)

const (
	superviseEvery = time.Second
	superviseMax   = time.Minute // longest wait between starts of a process that keeps ending
)

// isolated runs a plugin as a process of its own, which outlives the server. One
// that an earlier server started is found again.
func isolated(ctx context.Context, s *Server, p *parts, i instance) error {
	if s.local == nil {
		driver, err := localproc.New(localproc.Options{RunDir: s.folder.path("run"), LogDir: s.folder.path("run", "log"), Clock: s.Clock, Log: s.Log})
		if err != nil {
			return err
		}
		s.local = driver
	}
	files, database, err := s.pluginPlaces(ctx, i.name)
	if err != nil {
		return err
	}
	process := localproc.Process{Name: i.name, Path: s.Exe, Args: []string{"plugin-host", i.name}, Dir: files, Listen: true,
		Env: append(config.Environment(), "SEXTANT_URL="+s.URL(), "SEXTANT_TOKEN="+i.token, "SEXTANT_KEY="+base64.StdEncoding.EncodeToString(i.key), "SEXTANT_DATABASE_URL="+database, "SEXTANT_DATA="+files, "SEXTANT_REACH="+s.Config.Plugins.Reach)}
	state, err := s.local.Ensure(ctx, process)
	if err != nil {
		return err
	}
	p.router.Set(i.name, gateway.Route{URL: "http://" + state.Address, Token: i.token})
	s.group.Go("plugin "+i.name, func(ctx context.Context) error { return supervise(ctx, s, p, supervised{process, i.token, state}) })
	return nil
}

// supervised is a process that is kept running.
type supervised struct {
	localproc.Process
	token string
	state localproc.State
}

// supervise starts a plugin's process again when it has ended, less and less
// often where it keeps ending.
func supervise(ctx context.Context, s *Server, p *parts, of supervised) error {
	for wait := superviseEvery; ; {
		tick, stop := s.Clock.After(wait)
		select {
		case <-ctx.Done():
			stop()
			return ctx.Err()
		case <-tick:
		}
		found, ok, err := s.local.Find(of.Name)
		if err == nil && ok && found.Pid == of.state.Pid && found.Started == of.state.Started {
			wait = superviseEvery
			continue
		}
		p.registry.Health.Poke()
		s.Log.WarnContext(ctx, "a plugin's process has ended; it is started again", "plugin", of.Name, "err", err)
		wait = min(2*wait, superviseMax)
		state, err := s.local.Ensure(ctx, of.Process)
		if err != nil {
			if ctx.Err() == nil {
				s.Log.ErrorContext(ctx, "a plugin cannot be started", "plugin", of.Name, "err", err)
			}
			continue
		}
		of.state = state
		p.router.Set(of.Name, gateway.Route{URL: "http://" + state.Address, Token: of.token})
	}
}
