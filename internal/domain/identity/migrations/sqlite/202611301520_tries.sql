-- +goose Up
CREATE TABLE identity_try (
    what  BLOB    NOT NULL PRIMARY KEY,
    n     INTEGER NOT NULL,
    since INTEGER NOT NULL,
    last  INTEGER NOT NULL
);
CREATE INDEX identity_try_last ON identity_try (last);
UPDATE identity_token SET scope = 'all' WHERE kind = 'api' AND scope = '';
