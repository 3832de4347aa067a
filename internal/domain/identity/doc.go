// Package identity knows who asks and what they may do.
//
// A subject is a user, a plugin, a run with the rights that its requester had, or
// the platform itself. Users and plugins come from a session, an API token or a
// plugin's token, all of them 32 random bytes of which only the SHA-256 is stored.
// Rights are domain.verb on a project and in an environment; "*" stands for every
// verb, every domain, every project or every environment.
//
// There is no default password and no default key: the first start creates one
// administrator with a random password.
package identity

import "embed"

// Migrations holds users, roles, their rights, tokens, and log-ins that failed.
//
//go:embed migrations
var Migrations embed.FS

// Domain is the name under which the migrations are counted.
const Domain = "identity"
