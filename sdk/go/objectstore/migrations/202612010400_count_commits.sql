-- +goose Up
-- One row for each process that writes: which of its commits is the last one.
CREATE TABLE object_writer (
    id    VARCHAR(26) NOT NULL PRIMARY KEY,
    wave  INTEGER NOT NULL,
    since INTEGER NOT NULL
);
