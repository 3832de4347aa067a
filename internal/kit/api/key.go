package api

import (
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"sextant/internal/key"
)

// Key is a key of the engine.
type Key = key.Key

// keySchema describes a key.
type keySchema struct{}

// Schema says which texts are keys.
func (keySchema) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Pattern: "^[0-9]{1,19}$", Description: "Engine key, decimal digits"}
}

// KeyParam is a key in a path or a query; the library reads numbers there
// unless the type is a struct.
type KeyParam struct{ Key }

// Schema says which texts are keys.
func (KeyParam) Schema(r huma.Registry) *huma.Schema { return keySchema{}.Schema(r) }

// withKeys has a registry know keys.
func withKeys(r huma.Registry) huma.Registry {
	r.RegisterTypeAlias(reflect.TypeFor[Key](), reflect.TypeFor[keySchema]())
	return r
}
