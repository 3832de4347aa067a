-- +goose Up
CREATE TABLE plugin_release (
    plugin   TEXT    NOT NULL,
    version  TEXT    NOT NULL,
    manifest BLOB    NOT NULL,
    enabled  INTEGER NOT NULL,
    created  INTEGER NOT NULL,
    PRIMARY KEY (plugin, version)
);

CREATE TABLE plugin_instance (
    plugin TEXT NOT NULL PRIMARY KEY,
    url    TEXT NOT NULL,
    token  TEXT NOT NULL
);
