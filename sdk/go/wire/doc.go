// Package wire holds the types that a plugin and the platform exchange: the
// manifest (what a plugin offers), the service call (what the platform asks
// for) and the entity protocol (how object data is read and written). Plugins
// and platform both import it, so that each shape is written down once. It
// holds no behaviour beyond small predicates and no I/O.
package wire
