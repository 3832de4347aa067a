-- +goose Up
CREATE TABLE object_cursor (
    plugin VARCHAR(64) NOT NULL PRIMARY KEY,
    seq    INTEGER NOT NULL
);
