package objectstore_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"sync"
	"testing"

	"sextant/internal/testkit/dbserver"
	"sextant/sdk/go/objectstore"
	"sextant/sdk/go/plugin"
	"sextant/sdk/go/sqldb"
	"sextant/sdk/go/wire"
)

// A change whose commit gets no answer is told as made when it was, and as failed when
// it was not.
func TestAChangeWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	for _, kind := range []sqldb.Dialect{sqldb.Postgres, sqldb.MySQL} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			server := dbserver.Shared(t, kind)
			line := server.Line(t)
			db, dialect, err := sqldb.Open(line.Address(t, server.Fresh(t)), false)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			h := &plugin.Host{DB: db, Dialect: string(dialect), Clock: fixedClock{begin}, Key: bytes.Repeat([]byte{7}, 32)}
			store, err := objectstore.Open(t.Context(), h, "p", objectstore.Fixed([]wire.ObjectType{thing(), zone()}))
			if err != nil {
				t.Fatal(err)
			}
			n, fates := 0, map[dbserver.Fate]int{}
			line.OnCommit(func() dbserver.Fate {
				n++
				fate := []dbserver.Fate{dbserver.Pass, dbserver.CutAfter, dbserver.CutBefore, dbserver.CutAmid}[n%4]
				fates[fate]++
				return fate
			})
			const writers, each = 4, 20
			var wg sync.WaitGroup
			var mu sync.Mutex
			told := map[string]error{}
			for w := range writers {
				wg.Go(func() {
					for i := range each {
						id := fmt.Sprintf("z%d-%d", w, i)
						_, err := store.Create(t.Context(), "zone", rows(fmt.Sprintf(`{"id":%q,"label":"x"}`, id)), by)
						mu.Lock()
						told[id] = err
						mu.Unlock()
					}
				})
			}
			wg.Wait()
			line.OnCommit(func() dbserver.Fate { return dbserver.Pass })
			found, _, err := store.Query(t.Context(), "zone", wire.Query{})
			if err != nil {
				t.Fatal(err)
			}
			there := map[string]bool{}
			for _, row := range found {
				var id string
				if err := json.Unmarshal(row["id"], &id); err != nil {
					t.Fatal(err)
				}
				there[id] = true
			}
			failed := 0
			for id, err := range told {
				if (err == nil) != there[id] {
					t.Errorf("%s is there: %t, and its change was told as %v", id, there[id], err)
				}
				if err != nil {
					failed++
				}
			}
			if fates[dbserver.CutAfter] == 0 || failed == 0 || failed > fates[dbserver.CutBefore]+fates[dbserver.CutAmid] {
				t.Errorf("%d of %d failed, with %v", failed, writers*each, fates)
			}
		})
	}
}
