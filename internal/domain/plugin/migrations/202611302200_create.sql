-- +goose Up
CREATE TABLE plugin_release (
    plugin   VARCHAR(64) NOT NULL,
    version  VARCHAR(190) NOT NULL,
    manifest BLOB NOT NULL,
    enabled  INTEGER NOT NULL,
    created  INTEGER NOT NULL,
    PRIMARY KEY (plugin, version)
);

CREATE TABLE plugin_instance (
    plugin VARCHAR(64) NOT NULL PRIMARY KEY,
    url    TEXT NOT NULL,
    token  TEXT NOT NULL
);
