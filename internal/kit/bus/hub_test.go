package bus_test

import (
	"testing"

	"sextant/internal/kit/bus"
)

func TestAHubTellsThoseWhoListen(t *testing.T) {
	t.Parallel()
	var h bus.Hub[string]
	h.Poke("a") // nobody listens
	a, stopA := h.Listen("a")
	again, stopAgain := h.Listen("a")
	b, stopB := h.Listen("b")
	defer stopB()
	told := func(ch <-chan struct{}) bool {
		select {
		case <-ch:
			return true
		default:
			return false
		}
	}
	h.Poke("a")
	h.Poke("a") // is told once until it is heard
	if !told(a) || told(a) || !told(again) || told(b) {
		t.Error("not those who listen were told, each once")
	}
	stopA()
	stopA()
	h.Poke("a")
	if told(a) || !told(again) {
		t.Error("who has left is told, or who stays is not")
	}
	stopAgain()
	if again, stop := h.Listen("a"); told(again) {
		t.Error("old news are told")
	} else {
		stop()
	}
}
