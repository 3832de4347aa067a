package server

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"

	"sextant/internal/domain/dispatch"
	"sextant/internal/domain/gateway"
	"sextant/internal/domain/object"
	"sextant/plugins/cmdb"
	"sextant/plugins/host"
	sdk "sextant/sdk/go/plugin"
	"sextant/sdk/go/sqldb"
)

// builtin makes a plugin that comes with the platform.
type builtin struct {
	name string
	make func() *sdk.Plugin
}

func builtins() []builtin {
	return []builtin{{"cmdb", cmdb.New}, {"host", host.New}}
}

func isBuiltin(name string) bool {
	return slices.ContainsFunc(builtins(), func(b builtin) bool { return b.name == name })
}

// Builtin makes the built-in plugin of a name, for a process of its own.
func Builtin(name string) (*sdk.Plugin, error) {
	i := slices.IndexFunc(builtins(), func(b builtin) bool { return b.name == name })
	if i < 0 {
		return nil, fmt.Errorf("there is no built-in plugin %q; there are cmdb and host", name)
	}
	return builtins()[i].make(), nil
}

// startPlugins registers the built-in plugins and lets them answer, here or in
// processes of their own.
func startPlugins(ctx context.Context, s *Server, p *parts) error {
	for _, b := range builtins() {
		made := b.make()
		m, err := made.Manifest()
		if err != nil {
			return fmt.Errorf("plugin %s: %w", b.name, err)
		}
		if err := p.registry.Check(m, false); err != nil {
			return fmt.Errorf("plugin %s: %w", b.name, err)
		}
		if err := p.registry.Register(ctx, m); err != nil {
			return err
		}
		token, err := p.pluginToken(ctx, s, b.name)
		if err != nil {
			return fmt.Errorf("plugin %s: %w", b.name, err)
		}
		start := inProcess
		if s.Config.Plugins.Isolate == "all" {
			start = isolated
		}
		key, err := p.box.Derive("plugin/" + b.name)
		if err != nil {
			return fmt.Errorf("plugin %s: %w", b.name, err)
		}
		if err := start(ctx, s, p, instance{b.name, made, token, key}); err != nil {
			return fmt.Errorf("plugin %s: %w", b.name, err)
		}
	}
	return nil
}

// use tells what would miss a plugin.
type use struct {
	*object.Service
	calls *dispatch.Service
}

// AtWork are the runs that wait for a call of a plugin.
func (u use) AtWork(name string) []string { return u.calls.AtWork(name) }

// instance is a plugin about to be started.
type instance struct {
	name  string
	made  *sdk.Plugin
	token string
	key   []byte // of its secrets
}

// pluginToken gives the token of a plugin, the same over restarts: a process
// that outlived the server still carries it.
func (p *parts) pluginToken(ctx context.Context, s *Server, name string) (string, error) {
	file := s.folder.path("keys", "plugin-"+name+".token")
	if data, err := os.ReadFile(file); err == nil {
		if sub, err := p.identity.Subject(ctx, string(data)); err == nil && sub.ID == "plugin/"+name {
			return string(data), nil
		}
	}
	token, err := p.identity.IssuePlugin(ctx, name)
	if err != nil {
		return "", err
	}
	return token, os.WriteFile(file, []byte(token), 0o600)
}

// pluginPlaces makes the folders of a plugin and gives the address of its
// database.
func (s *Server) pluginPlaces(ctx context.Context, name string) (files, database string, err error) {
	root := s.pluginFolder(name)
	for _, sub := range []string{"db", "files", "log"} {
		if err := os.MkdirAll(filepath.Join(root, sub), 0o700); err != nil {
			return "", "", err
		}
	}
	platform := "sqlite:" + s.folder.path("sextant.db")
	if s.folder.away {
		platform = s.Config.Database
	}
	database, err = s.pluginDatabase(ctx, platform, name)
	return filepath.Join(root, "files"), database, err
}

// inProcess lets a plugin answer within the server.
func inProcess(ctx context.Context, s *Server, p *parts, i instance) error {
	files, address, err := s.pluginPlaces(ctx, i.name)
	if err != nil {
		return err
	}
	database, dialect, err := sqldb.Open(address, false)
	if err != nil {
		return err
	}
	s.group.OnStop("database of plugin "+i.name, func(context.Context) error { return database.Close() })
	h := &sdk.Host{DB: database, Dialect: string(dialect), Data: files, Clock: s.Clock,
		Log: s.Log.With("plugin", i.name), URL: "http://sextant", Token: i.token, Key: i.key, Reach: s.Config.Plugins.Reach,
		Client: &http.Client{Transport: direct{p.api.Handler()}}}
	handler, err := i.made.Handler(ctx, h)
	if err != nil {
		return err
	}
	s.group.OnStop("plugin "+i.name, func(context.Context) error { h.Close(); return nil })
	p.router.Set(i.name, gateway.Route{Handler: handler, Token: i.token})
	return nil
}
