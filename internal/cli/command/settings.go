package command

import (
	"github.com/spf13/cobra"

	"sextant/internal/config"
)

// Settings are the flags that set what the configuration file can set too.
type Settings struct {
	file   string
	values map[string]*string
}

// Flags adds the flags of some settings to a command.
func (s *Settings) Flags(c *cobra.Command, names ...string) {
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

// Load reads the configuration with what the flags of c say. Its errors are those of usage.
func (s *Settings) Load(c *cobra.Command) (*config.Loaded, error) {
	given := map[string]any{}
	for name, v := range s.values {
		if c.Flags().Changed(name) {
			given[name] = *v
		}
	}
	l, err := config.Load(s.file, given)
	if err != nil {
		return nil, UsageError{Err: err}
	}
	return l, nil
}
