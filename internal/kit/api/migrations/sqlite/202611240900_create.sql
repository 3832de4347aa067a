-- +goose Up
CREATE TABLE api_idempotency (
    principal TEXT    NOT NULL,
    route     TEXT    NOT NULL,
    key       TEXT    NOT NULL,
    digest    BLOB    NOT NULL,
    status    INTEGER NOT NULL,
    media     TEXT    NOT NULL,
    body      BLOB    NOT NULL,
    created   INTEGER NOT NULL,
    PRIMARY KEY (principal, route, key)
);
CREATE INDEX api_idempotency_created ON api_idempotency (created);
