package message

import "context"

// CatchUp tells what is left to tell, once.
func (s *Service) CatchUp(ctx context.Context) error { return s.catchUp(ctx) }
