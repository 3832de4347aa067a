// Package host is the plugin that works on machines over SSH: it runs scripts,
// places files, collects facts, and waits for ports and web addresses.
//
// A script runs detached on the host in a folder named by the key of its row
// (see sdk/go/ssh): when the platform or the connection dies, the script goes
// on, and the same row asked again gets its result. Host keys are pinned by the
// host's attribute host_key or by the connection; there is no way around them.
//
// The plugin owns the object type host:host. It keeps no credentials: a
// connection comes with each call.
package host
