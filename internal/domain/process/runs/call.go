package runs

import (
	"context"

	"sextant/internal/domain/control"
	"sextant/internal/domain/process/definition"
)

// Call asks the door for a run of one step that calls a service. The process of
// that step is kept like any other.
func (s *Service) Call(ctx context.Context, c definition.Call) (control.Verdict, error) {
	req, err := s.Definitions.Request(ctx, c)
	if err != nil {
		return control.Verdict{}, err
	}
	return s.admit(ctx, req)
}

// PreviewCall tells what a call would do now. Like a call it keeps the process
// of that one step; it starts nothing.
func (s *Service) PreviewCall(ctx context.Context, c definition.Call) (Preview, error) {
	req, err := s.Definitions.Request(ctx, c)
	if err != nil {
		return Preview{}, err
	}
	return s.Preview(ctx, req)
}
