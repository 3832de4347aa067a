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
