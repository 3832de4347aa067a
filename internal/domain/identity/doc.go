// Package identity knows who asks and what they may do.
//
// A subject is a user, a plugin or the platform itself. It comes from a
// session, an API token or a plugin's token, all of them 32 random bytes of
// which only the SHA-256 is stored. Rights are domain.verb on a project; "*"
// stands for every verb, every domain or every project.
//
// There is no default password and no default key: the first start creates one
// administrator with a random password.
package identity

import "embed"

// Migrations holds users, grants and tokens.
//
//go:embed migrations
var Migrations embed.FS

// Domain is the name under which the migrations are counted.
const Domain = "identity"
