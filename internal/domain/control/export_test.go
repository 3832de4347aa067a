package control

import "context"

// Settle looks at the line until there is nothing more to look at, as RunLine does.
func (d *Door) Settle(ctx context.Context) {
	for {
		d.turn(ctx)
		d.line.wg.Wait()
		select {
		case <-d.line.news:
		default:
			return
		}
	}
}

// Stalled reports whether a request could not be judged, and will be later, and whether
// it is known that the file is why.
func (d *Door) Stalled(run int64) bool {
	d.line.mu.Lock()
	defer d.line.mu.Unlock()
	_, ok := d.line.again[run]
	return ok && d.line.byFile.Load()
}

// Holder is the first of those who hold an object, nil for nobody.
func (d *Door) Holder(ctx context.Context, object string) (*Lock, error) {
	all, _, err := d.LocksOf(ctx, object)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return all[0], nil
}
