package dispatch

import (
	"strconv"
	"time"

	"sextant/internal/engine/durable"
)

const storeAgain = 2 * time.Second // until an outcome that could not be stored is tried again

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

func keyOf(j durable.Job) int64 { return int64(j.Key) }
