// Command sabotage proves that tests can fail: it breaks one line of the program
// at a time, in a copy, runs the test that has to notice, and reports every test
// that stayed green.
//
//	make sabotage            all of list.txt
//	make sabotage ONLY=blob  those whose name or file holds the word
//
// An entry of list.txt is five lines and an empty one: a name, the file, the text
// that is there, the text in its place, and the package with the name of the test.
// What is there stands in the file once; a line break is written \n, a tab \t.
package main
