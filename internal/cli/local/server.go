//go:build !windows

package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"sextant/internal/cli/command"
	"sextant/internal/config"
	"sextant/internal/kit/clock"
	"sextant/internal/kit/obs"
	"sextant/internal/server"
	"sextant/sdk/go/plugin"
)

func (a Commands) serverCmd() *cobra.Command {
	var s command.Settings
	c := &cobra.Command{
		Use: "server", Short: "Run the platform on embedded parts",
		Long: "Runs the platform. Without a file, a flag or a network it works on embedded parts in the folder ./data. " +
			"The first start creates the user admin and prints its password once; SEXTANT_ADMIN_PASSWORD sets it." + command.ExitHelp,
		Args: command.Exactly(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			l, err := s.Load(c)
			if err != nil {
				return err
			}
			return a.serve(c.Context(), l)
		},
	}
	s.Flags(c, "listen", "data", "database", "admin.listen", "log.level", "log.format", "plugins.isolate")
	return c
}

func (a Commands) logger(c config.Log) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.Level)) // validated when it was loaded
	return obs.NewLogger(a.Err, level, obs.Format(c.Format))
}

// open starts a server as the configuration says.
func (a Commands) open(ctx context.Context, l *config.Loaded, log *slog.Logger) (*server.Server, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	server.CollectLess()
	return server.Open(ctx, server.Options{Config: l.Config, Settings: l.Items,
		Version: a.Version, Clock: clock.Real{}, Log: log, AdminPassword: config.Variable("SEXTANT_ADMIN_PASSWORD"), Exe: exe})
}

func (a Commands) serve(ctx context.Context, l *config.Loaded) error {
	c := l.Config
	log := a.logger(c.Log)
	s, err := a.open(ctx, l, log)
	if err != nil {
		return err
	}
	if f := s.First; f != nil {
		if config.Variable("SEXTANT_ADMIN_PASSWORD") != "" {
			f.Password = "(that of SEXTANT_ADMIN_PASSWORD)"
		}
		fmt.Fprintf(a.Out, "\nThis is the first start. The administrator is\n\n  name      %s\n  password  %s\n"+
			"\nshown once. Or log in within an hour with\n\n  sextant login --url %s --link %s\n\n", f.Name, f.Password, s.URL(), f.Link)
	}
	log.Info("the server is ready", "url", s.URL(), "data", c.Data, "version", a.Version)
	select {
	case <-ctx.Done():
		log.Info("the server stops; what it manages goes on")
	case err = <-s.Failed():
	}
	return errors.Join(err, s.Close())
}

func (a Commands) recoverCmd() *cobra.Command {
	var s command.Settings
	name := "admin"
	c := &cobra.Command{
		Use: "recover", Short: "Log a user in who has lost the password, on the data folder of a stopped server",
		Long: "Makes a link that logs a user in once, within an hour, in the data folder of a server that does not run. " +
			"Start the server then, log in with the link and give a new password. The audit log keeps that it was done." + command.ExitHelp,
		Args: command.Exactly(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			l, err := s.Load(c)
			if err != nil {
				return err
			}
			link, err := server.Recover(c.Context(), server.Options{Config: l.Config, Clock: clock.Real{}, Log: a.quiet()}, name)
			if err != nil {
				return err
			}
			return a.Show(map[string]string{"user": name, "link": link}, func(w io.Writer) {
				fmt.Fprintf(w,
					"Start the server; then, within an hour, once:\n\n  sextant login --link %s\n\nor open /sign-in#link=%s in the console.\n", link, link)
			})
		},
	}
	s.Flags(c, "data", "database")
	c.Flags().StringVar(&name, "user", name, "name of the user")
	return c
}

// pluginHostCmd runs a built-in plugin as a process of its own, as the platform
// starts it.
func (a Commands) pluginHostCmd() *cobra.Command {
	return &cobra.Command{
		Use: "plugin-host <name>", Short: "Run a built-in plugin as a process of its own",
		Hidden: true, Args: command.Exactly(1, "the name of a plugin"),
		Long: "Started by the platform with SEXTANT_URL, SEXTANT_TOKEN, SEXTANT_KEY, " +
			"SEXTANT_LISTEN, SEXTANT_DATABASE_URL, SEXTANT_DATA and SEXTANT_REACH." + command.ExitHelp,
		RunE: func(c *cobra.Command, args []string) error {
			p, err := server.Builtin(args[0])
			if err != nil {
				return command.UsageError{Err: err}
			}
			log := obs.NewLogger(a.Err, slog.LevelInfo, obs.Text).With("plugin", args[0])
			h, err := plugin.HostFrom(config.Variable, log)
			if err != nil {
				return err
			}
			listen := config.Variable("SEXTANT_LISTEN")
			if listen == "" {
				return command.Usage("SEXTANT_LISTEN is empty: give the address to listen on")
			}
			return plugin.Serve(c.Context(), p, h, listen)
		},
	}
}
