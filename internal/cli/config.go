package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"sextant/internal/cli/command"
)

func (a *app) configCmd() *cobra.Command {
	var s command.Settings
	show := &cobra.Command{
		Use: "show", Short: "Every setting with its value and where it comes from", Args: command.Exactly(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			l, err := s.Load(c)
			if err != nil {
				return err
			}
			for i := range l.Items {
				l.Items[i].Value = l.Items[i].Shown()
			}
			return a.Show(l.Items, func(w io.Writer) {
				for _, i := range l.Items {
					fmt.Fprintf(w, "%s\t%s\t%s\n", i.Key, i.Value, i.Origin)
				}
			})
		},
	}
	s.Flags(show, "listen", "data", "database", "admin.listen", "log.level", "log.format", "plugins.isolate")
	return command.Group("config", "Settings", show)
}
