-- +goose Up
-- Who made a change, as the platform sealed it: once for all that a transaction changes.
CREATE TABLE object_origin (
    id   INTEGER NOT NULL PRIMARY KEY,
    note TEXT    NOT NULL
);
ALTER TABLE object_history ADD COLUMN origin INTEGER NOT NULL DEFAULT 0;
-- The environment as of the change. A question mark stands until the store is opened.
ALTER TABLE object_history ADD COLUMN environment TEXT NOT NULL DEFAULT '?';
-- What the store has still to do to rows that an older one wrote.
CREATE TABLE object_step (
    name TEXT NOT NULL PRIMARY KEY
);
INSERT INTO object_step (name) SELECT DISTINCT 'unique by project: ' || type FROM object_row;
