-- +goose Up
-- The one server that writes here: each of its commits counts the wave up under
-- its epoch, which ends with the next server.
CREATE TABLE db_writer (
    id      INTEGER NOT NULL PRIMARY KEY,
    epoch   INTEGER NOT NULL,
    wave    INTEGER NOT NULL,
    holder  VARCHAR(64) NOT NULL,
    name    VARCHAR(190) NOT NULL,
    expires INTEGER NOT NULL
);
INSERT INTO db_writer (id, epoch, wave, holder, name, expires) VALUES (1, 0, 0, '', '', 0);
