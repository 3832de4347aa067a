// Package model reads what a DMN file says: decisions, inputs, business
// knowledge, services, types and all boxed expressions of DMN 1.5.
//
// Files of DMN 1.1 to 1.6 are read; what the versions differ in is evened out
// here. The tree that a file was read from stays, with everything that has no
// meaning here, and is written back byte for byte.
//
// Read refuses only a file that is no DMN at all. Everything else that is wrong
// becomes a Problem with its place, and an Invalid expression where one cannot
// be understood, so that the rest of the file remains usable.
package model
