package obs

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// Traceparent makes the run a trace and the call a span of it: the same call
// has the same ids when it is sent again.
func Traceparent(run int64, key string) string {
	trace := sha256.Sum256(fmt.Appendf(nil, "run/%d", run))
	span := sha256.Sum256([]byte(key))
	return "00-" + hex.EncodeToString(trace[:16]) + "-" + hex.EncodeToString(span[:8]) + "-01"
}
