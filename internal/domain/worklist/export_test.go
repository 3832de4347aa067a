package worklist

// Answered is for the tests of answers.
var Answered = answered
