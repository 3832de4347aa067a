package demo

import (
	"context"

	"sextant/examples/apps/guestbook"
)

// App is how the application of the demo is run on a host.
type App = guestbook.Options

// RunApp serves the application until ctx ends.
func RunApp(ctx context.Context, a App) error { return guestbook.Run(ctx, a) }
