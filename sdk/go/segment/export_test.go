package segment

// Candidates is how many blocks a search for a query would read.
func (l *Log) Candidates(q *Query) (n int, err error) {
	items, _, err := l.snapshot(0, false, false)
	for _, i := range items {
		if i.block != nil && q.mayStandIn(i.block.filter()) {
			n++
		}
	}
	return n, err
}
