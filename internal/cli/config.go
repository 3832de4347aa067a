package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"sextant/internal/cli/command"
	"sextant/internal/config"
)

// settings are the flags that set what the configuration file can set too.
type settings struct {
	file   string
	values map[string]*string
}

func (s *settings) flags(c *cobra.Command, names ...string) {
	c.Flags().StringVar(&s.file, "config", "", "configuration file; else sextant.yaml in the current folder, if there")
	s.values = map[string]*string{}
	help := map[string]string{
		"listen": "address of the API and the console", "data": "folder that holds everything",
		"database":     "address of a PostgreSQL, MariaDB or MySQL database; else a file in the data folder",
		"admin.listen": "address of metrics and profiles, empty for none",
		"log.level":    "debug, info, warn or error", "log.format": "text or json",
		"plugins.isolate": "none, or all: built-in plugins in processes of their own",
	}
	for _, name := range names {
		s.values[name] = c.Flags().String(name, "", help[name])
	}
}

func (s *settings) load(c *cobra.Command) (*config.Loaded, error) {
	given := map[string]any{}
	for name, v := range s.values {
		if c.Flags().Changed(name) {
			given[name] = *v
		}
	}
	l, err := config.Load(s.file, given)
	if err != nil {
		return nil, command.UsageError{Err: err}
	}
	return l, nil
}

func (a *app) configCmd() *cobra.Command {
	var s settings
	show := &cobra.Command{
		Use: "show", Short: "Every setting with its value and where it comes from", Args: command.Exactly(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			l, err := s.load(c)
			if err != nil {
				return err
			}
			return a.Show(l.Items, func(w io.Writer) {
				for _, i := range l.Items {
					fmt.Fprintf(w, "%s\t%s\t%s\n", i.Key, i.Value, i.Origin)
				}
			})
		},
	}
	s.flags(show, "listen", "data", "database", "admin.listen", "log.level", "log.format", "plugins.isolate")
	return command.Group("config", "Settings", show)
}
