package stage

import "context"

// OpenAt is Open with another address for the first host.
func OpenAt(ctx context.Context, o Options, first int) (*Stage, error) { return open(ctx, o, first) }
