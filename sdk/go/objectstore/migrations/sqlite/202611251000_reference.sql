-- +goose Up
CREATE TABLE object_ref (
    target    TEXT NOT NULL,
    target_id TEXT NOT NULL,
    type      TEXT NOT NULL,
    attr      TEXT NOT NULL,
    id        TEXT NOT NULL,
    PRIMARY KEY (target, target_id, type, attr, id)
) WITHOUT ROWID;
CREATE INDEX object_ref_id ON object_ref (type, id);
INSERT INTO object_ref (target, target_id, type, attr, id)
    SELECT substr(value, 1, instr(value, '/') - 1), substr(value, instr(value, '/') + 1), type, substr(attr, 1, length(attr) - 2), id
    FROM object_value WHERE attr LIKE '%->' AND instr(value, '/') > 0;
DELETE FROM object_value WHERE attr LIKE '%->';

CREATE TABLE object_change (
    seq      INTEGER NOT NULL PRIMARY KEY,
    type     TEXT    NOT NULL,
    id       TEXT    NOT NULL,
    version  INTEGER NOT NULL,
    time     INTEGER NOT NULL,
    operator TEXT    NOT NULL,
    run      TEXT    NOT NULL,
    op       TEXT    NOT NULL,
    project  TEXT    NOT NULL,
    diff     BLOB    NOT NULL
);
INSERT INTO object_change (seq, type, id, version, time, operator, run, op, project, diff)
    SELECT ROW_NUMBER() OVER (ORDER BY time, type, id, version), type, id, version, time, operator, run, op, 'default', diff
    FROM object_history;
DROP TABLE object_history;
ALTER TABLE object_change RENAME TO object_history;
CREATE UNIQUE INDEX object_history_version ON object_history (type, id, version);
