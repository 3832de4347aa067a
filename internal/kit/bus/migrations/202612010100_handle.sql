-- +goose Up
-- How far each handler of events has come, and who works as it. Every write of a
-- handler checks its epoch.
CREATE TABLE bus_handler (
    name    VARCHAR(190) NOT NULL PRIMARY KEY,
    seq     INTEGER NOT NULL,
    epoch   INTEGER NOT NULL,
    holder  TEXT    NOT NULL,
    expires INTEGER NOT NULL
);
-- Events that a handler could not act on, and those on the same object that came later
-- and wait behind. Each is a copy: the event itself may be removed meanwhile.
CREATE TABLE bus_held (
    handler VARCHAR(190) NOT NULL,
    seq     INTEGER NOT NULL,
    state   VARCHAR(16) NOT NULL,
    tries   INTEGER NOT NULL,
    due     INTEGER NOT NULL,
    error   TEXT    NOT NULL,
    since   INTEGER NOT NULL,
    id      VARCHAR(190) NOT NULL,
    type    VARCHAR(190) NOT NULL,
    object  VARCHAR(330) NOT NULL,
    project VARCHAR(64) NOT NULL,
    time    INTEGER NOT NULL,
    data    BLOB    NOT NULL,
    PRIMARY KEY (handler, seq)
);
CREATE INDEX bus_held_object ON bus_held (handler, object, seq);
CREATE INDEX bus_held_due ON bus_held (handler, state, due);
