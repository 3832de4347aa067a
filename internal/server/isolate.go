package server

import (
	"context"
	"encoding/base64"

	"sextant/internal/config"
	"sextant/internal/domain/gateway"
	"sextant/internal/domain/resource"
	"sextant/internal/driver/localproc"
)

// supervisor keeps the plugins that run in processes of their own.
func (s *Server) supervisor(p *parts) (*resource.Supervisor, error) {
	if s.keeper != nil {
		return s.keeper, nil
	}
	driver,
		err := localproc.New(localproc.Options{RunDir: s.folder.path("run"), LogDir: s.folder.path("run", "log"), Clock: s.Clock, Log: s.Log})
	if err != nil {
		return nil, err
	}
	s.keeper = &resource.Supervisor{Driver: resource.NewLocal(driver), Clock: s.Clock, Log: s.Log, Ended: func(string) {
		p.registry.Health.Poke()
	}, Began: p.moved}
	return s.keeper, nil
}

// moved leads calls to where a plugin answers now.
func (p *parts) moved(i resource.Instance) {
	if to, ok := p.router.Route(i.Name); ok {
		p.router.Set(i.Name, gateway.Route{URL: "http://" + i.Address, Token: to.Token})
	}
}

// isolated runs a plugin as a process of its own, which outlives the server. One
// that an earlier server started is found again.
func isolated(ctx context.Context, s *Server, p *parts, i instance) error {
	keeper, err := s.supervisor(p)
	if err != nil {
		return err
	}
	files, database, err := s.pluginPlaces(ctx, i.name)
	if err != nil {
		return err
	}
	runs, err := keeper.Keep(ctx, resource.Spec{Name: i.name, Program: s.Exe, Args: []string{"plugin-host", i.name}, Dir: files, Listen: true,
		Env: append(config.Environment(), "SEXTANT_URL="+s.URL(), "SEXTANT_TOKEN="+i.token,
			"SEXTANT_KEY="+base64.StdEncoding.EncodeToString(i.key),
			"SEXTANT_DATABASE_URL="+database, "SEXTANT_DATA="+files, "SEXTANT_REACH="+s.Config.Plugins.Reach)})
	if err != nil {
		return err
	}
	p.router.Set(i.name, gateway.Route{URL: "http://" + runs.Address, Token: i.token})
	s.group.Go("plugin "+i.name, func(ctx context.Context) error { return keeper.Watch(ctx, runs) })
	return nil
}
