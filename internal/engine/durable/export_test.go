package durable

// EncodeFacts is for the test that compares what is written with what was.
var EncodeFacts = encodeFacts
