-- +goose Up
-- Where the instances of plugins answer that somebody else starts.
CREATE TABLE plugin_place (
    plugin   VARCHAR(64) NOT NULL,
    id       VARCHAR(64) NOT NULL,
    url      TEXT NOT NULL,
    weight   INTEGER NOT NULL,
    draining INTEGER NOT NULL,
    created  INTEGER NOT NULL,
    PRIMARY KEY (plugin, id)
);

INSERT INTO plugin_place (plugin, id, url, weight, draining, created)
SELECT plugin, 'main', url, 1, 0, 0 FROM plugin_instance WHERE url <> '';

ALTER TABLE plugin_instance DROP COLUMN url;
