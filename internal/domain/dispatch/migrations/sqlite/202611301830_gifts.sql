-- +goose Up
-- What people who are not the requester gave to runs that go on: which value, at
-- which place of the run, and the rights of who gave it.
CREATE TABLE dispatch_gift (
    run    INTEGER NOT NULL,
    place  INTEGER NOT NULL,
    kind   TEXT    NOT NULL,
    name   TEXT    NOT NULL,
    giver  TEXT    NOT NULL,
    node   TEXT    NOT NULL,
    label  TEXT    NOT NULL,
    rights TEXT    NOT NULL,
    PRIMARY KEY (run, place, kind, name, giver)
);

ALTER TABLE dispatch_job ADD COLUMN given TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE dispatch_job DROP COLUMN given;
DROP TABLE dispatch_gift;
