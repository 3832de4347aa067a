package bus

import (
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"sextant/internal/kit/db"
)

// Kind is a type of event whose data is a T. Each domain has a table of its own
// kinds; what is published in another way cannot be told apart by anybody.
type Kind[T any] struct {
	// Type is sextant.<domain>.<past tense>.v<n>: another form of data is another type.
	Type string
	// Subject is the form of what it is about, such as run/{key}.
	Subject string
	// Says is one sentence on when it is written.
	Says string
	// Read is the permission of those who may hear of it, in its project.
	Read string
}

// Of is what one event is about. Time is that of the write where it is zero.
type Of struct {
	Subject, Project string
	Time             time.Time
}

// Publish writes an event of the kind within the write that caused it.
func (k Kind[T]) Publish(b *Bus, tx *db.Tx, of Of, data T) error {
	raw, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("publish %s: %w", k.Type, err)
	}
	return b.publish(tx, Event{Type: k.Type, Subject: of.Subject, Project: of.Project, Time: of.Time, Data: raw})
}

// Declared is a kind as tables, documents and listeners see it.
type Declared struct {
	Type, Subject, Says, Read string
	Data                      reflect.Type
}

// Declared gives the kind for a table.
func (k Kind[T]) Declared() Declared {
	return Declared{k.Type, k.Subject, k.Says, k.Read, reflect.TypeFor[T]()}
}
