-- +goose Up
CREATE TABLE bus_event (
    id      VARCHAR(190) NOT NULL PRIMARY KEY,
    seq     INTEGER,
    type    TEXT NOT NULL,
    subject TEXT NOT NULL,
    project TEXT NOT NULL,
    time    INTEGER NOT NULL,
    data    BLOB NOT NULL
);
CREATE UNIQUE INDEX bus_event_seq ON bus_event (seq);
