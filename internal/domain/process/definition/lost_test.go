package definition

import (
	"errors"
	"strings"
	"testing"

	"sextant/internal/kit/errs"
)

// A version without a file is told like one whose file is gone.
func TestAVersionWithoutAFileIsToldAsLost(t *testing.T) {
	t.Parallel()
	for digest, file := range map[string]string{"": "blobs//", "abcdef": "blobs/ab/abcdef"} {
		err := lost(Definition{Process: "p", Version: 2, Digest: digest}, errors.New("gone"))
		if !errs.HasCode(err, "process.file_lost") || !strings.Contains(err.Error(), "process p version 2") ||
			!strings.Contains(err.Error(), "restore "+file+" from") {
			t.Errorf("of %q it says %v", digest, err)
		}
	}
}
