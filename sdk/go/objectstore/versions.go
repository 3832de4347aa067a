package objectstore

import "io/fs"

// Domain is the name under which the migrations of a plugin's objects are counted.
const Domain = domain

// Migrations are those of the tables that a Store makes, in a folder migrations.
func Migrations() fs.FS { return migrations }
