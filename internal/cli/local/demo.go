//go:build !windows

package local

import (
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"sextant/internal/cli/command"
	"sextant/internal/demo"
	"sextant/internal/demo/balancer"
	"sextant/sdk/go/ssh/sshserver"
)

func (a Commands) demoCmd() *cobra.Command {
	o := demo.Options{Out: a.Out, Err: a.Err, Version: a.Version, Began: time.Now()}
	c := &cobra.Command{
		Use: "demo", Short: "Release a real application over hosts, and roll a broken release back",
		Long: "Starts the server on embedded parts, three application hosts and a balancer, and " +
			"runs examples/processes/rolling-release.bpmn twice, with a good and a broken version, while a client sends requests all the time.\n" +
			"With OpenSSH and nginx on the machine the hosts are real sshd and the balancer is nginx, as you and on high ports of loopback; " +
			"without them small servers of this program take their places. Nothing needs root." + command.ExitHelp,
		Args: command.Exactly(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			var err error
			if o.Exe, err = os.Executable(); err != nil {
				return err
			}
			if o.Dir, err = filepath.Abs(o.Dir); err != nil {
				return err
			}
			o.Terminal, o.Size = a.Screen()
			return demo.Run(c.Context(), o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.Dir, "dir", "sextant-demo", "folder for everything that the demo makes")
	f.StringVar(&o.Listen, "listen", "127.0.0.1:8066", "address of the API")
	f.BoolVar(&o.CI, "ci", false, "want OpenSSH and nginx, check everything, and end with a status")
	f.BoolVar(&o.Own, "own", false, "take small servers of this program for hosts and balancer, whatever the machine has")
	f.StringVar(&o.Report, "report", "", "file for the figures, as JSON")
	return c
}

// demoHostCmd is a host of the demo on a machine without OpenSSH.
func (a Commands) demoHostCmd() *cobra.Command {
	var address, home, hostKey, authorized string
	c := &cobra.Command{
		Use: "demo-host", Short: "A small SSH server for the demo", Hidden: true, Args: command.Exactly(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			key, err := os.ReadFile(hostKey)
			if err != nil {
				return err
			}
			allowed, err := os.ReadFile(authorized)
			if err != nil {
				return err
			}
			return sshserver.Serve(c.Context(),
				sshserver.Options{Address: address, HostKey: string(key), AuthorizedKey: string(allowed), Home: home, Log: a.quiet()})
		},
	}
	f := c.Flags()
	f.StringVar(&address, "address", "", "address to listen on")
	f.StringVar(&home, "home", "", "home of whoever logs in")
	f.StringVar(&hostKey, "host-key", "", "file with the host's key")
	f.StringVar(&authorized, "authorized-key", "", "file with the key that may log in")
	return c
}

func (a Commands) quiet() *slog.Logger {
	return slog.New(slog.NewTextHandler(a.Err, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// demoBalancerCmd is the balancer of the demo on a machine without nginx.
func (a Commands) demoBalancerCmd() *cobra.Command {
	o := balancer.Options{}
	c := &cobra.Command{
		Use: "demo-balancer", Short: "A small reverse proxy for the demo", Hidden: true, Args: command.Exactly(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			o.Log = a.quiet()
			return balancer.Run(c.Context(), o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.Address, "address", "", "address to listen on")
	f.StringVar(&o.UpstreamFile, "upstreams", "", "file with host:port a line")
	f.StringVar(&o.PIDFile, "pid-file", "", "file for the pid, which takes SIGHUP to read the upstreams again")
	return c
}

// demoAppCmd is the application that the demo releases.
func (a Commands) demoAppCmd() *cobra.Command {
	o := demo.App{}
	c := &cobra.Command{
		Use: "demo-app", Short: "The application of the demo", Hidden: true, Args: command.Exactly(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(c.Context(), syscall.SIGTERM)
			defer stop()
			o.Out = a.Out
			return demo.RunApp(ctx, o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.Dir, "dir", ".", "folder of the release")
	f.StringVar(&o.Address, "listen", "", "address to listen on")
	f.StringVar(&o.Data, "data", "", "folder for what visitors write")
	return c
}
