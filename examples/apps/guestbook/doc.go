// Package guestbook is a small web application to release: it shows a page with
// its version and what visitors wrote.
//
// A release is a folder with the files VERSION, app.json (title and greeting),
// templates/*.html and static/*. Everything is read when the application starts;
// a folder that changes later does not change what runs. What visitors write
// stands in a data folder outside the release, in a file of lines that is only
// appended to, so that several instances may share it.
//
//	GET  /         the page; 500 where a template cannot be rendered
//	POST /         adds an entry
//	GET  /version  the version, plain text
//	GET  /healthz  200 "ok <version>" where all templates render, else 500 and why
//	GET  /static/  files of the release
//
// Every answer has the header X-Version. The package imports nothing but the
// standard library.
package guestbook
