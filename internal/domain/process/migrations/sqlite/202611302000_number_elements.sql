-- +goose Up
CREATE TABLE process_element (
    definition INTEGER NOT NULL,
    flow       INTEGER NOT NULL,
    number     INTEGER NOT NULL,
    id         TEXT    NOT NULL,
    PRIMARY KEY (definition, flow, number)
) WITHOUT ROWID;
ALTER TABLE process_definition ADD COLUMN compiler INTEGER NOT NULL DEFAULT 0;
