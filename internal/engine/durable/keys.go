package durable

import (
	"context"
	"fmt"
	"sync"

	"sextant/internal/engine/state"
	"sextant/internal/kit/db"
)

// Shards is the number of shards, for ever: it is part of every key.
const Shards = 64

const (
	counterBits = 53
	blockSize   = 1 << 20 // keys reserved at once; far more than one step can use
)

// ShardOf tells the shard that a key belongs to.
func ShardOf(key state.Key) int { return int(key>>counterBits) & 0x3ff }

// keys hands out the keys of one shard from a reserved block, and reserves the
// next block when half of this one is used up, long before it is needed.
type keys struct {
	shard    int
	db       *db.DB
	mu       sync.Mutex
	next     int64
	reserved int64
	asked    bool
}

func (k *keys) take() state.Key {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := k.next
	k.next++
	if !k.asked && k.reserved-k.next < blockSize/2 {
		k.asked = true
		to := k.reserved + blockSize
		wait, err := k.db.Submit(context.Background(), func(tx *db.Tx) error { return reserve(tx, k.shard, to) })
		if err != nil {
			k.asked = false // the next take asks again
		} else {
			go k.reservedTo(to, wait)
		}
	}
	return state.Key(int64(k.shard)<<counterBits | n)
}

func (k *keys) reservedTo(to int64, wait <-chan error) {
	err := <-wait
	k.mu.Lock()
	defer k.mu.Unlock()
	k.asked = false
	if err == nil {
		k.reserved = to
	}
}

func reserve(tx *db.Tx, shard int, to int64) error {
	return tx.Upsert("engine_key", 1, []string{"shard", "next"}, shard, to)
}

// reserveAll reserves a first block for every shard.
func reserveAll(ctx context.Context, d *db.DB, all []*shard) error {
	return d.Do(ctx, func(tx *db.Tx) error {
		rows, err := tx.Query(ctx, "SELECT shard, next FROM engine_key")
		type mark struct{ shard, next int64 }
		marks, err := db.Scan(rows, err, func(r scanner) (mark, error) {
			var m mark
			return m, r.Scan(&m.shard, &m.next)
		})
		if err != nil {
			return fmt.Errorf("read the keys in use: %w", err)
		}
		for _, s := range all {
			s.keys.next = 1
		}
		for _, m := range marks {
			if m.shard >= 0 && m.shard < Shards {
				all[m.shard].keys.next = m.next
			}
		}
		for _, s := range all {
			s.keys.reserved = s.keys.next + blockSize
			if err := reserve(tx, s.keys.shard, s.keys.reserved); err != nil {
				return err
			}
		}
		return nil
	})
}
