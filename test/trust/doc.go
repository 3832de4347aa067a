// Package trust gives a running platform, over its network, the input that
// attackers and mistakes bring. cases.csv lists every case with the answer that
// is expected and the test that proves it.
package trust
