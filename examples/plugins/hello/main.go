// Command hello is a complete plugin: one service that greets hosts. The
// platform issues its token, somebody starts it, and its address is told to the
// platform. See docs/plugin-authors/write-a-plugin.md.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"sextant/sdk/go/plugin"
)

const defaultListen = "127.0.0.1:8090"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "hello:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	listen := os.Getenv("SEXTANT_LISTEN")
	if listen == "" {
		listen = defaultListen
	}
	host, err := plugin.HostFrom(os.Getenv, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err != nil {
		return err
	}
	return plugin.Serve(ctx, newPlugin(), host, listen)
}
