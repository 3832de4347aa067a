-- +goose Up
CREATE TABLE engine_held (
    run      INTEGER NOT NULL PRIMARY KEY,
    kind     TEXT    NOT NULL,
    message  TEXT    NOT NULL,
    incident INTEGER NOT NULL,
    since    INTEGER NOT NULL
);
