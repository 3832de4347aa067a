-- +goose Up
CREATE TABLE object_cursor (
    plugin TEXT    NOT NULL PRIMARY KEY,
    seq    INTEGER NOT NULL
);
