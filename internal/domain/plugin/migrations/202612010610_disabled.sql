-- +goose Up
-- A version that somebody has switched off stays so until somebody switches it on.
ALTER TABLE plugin_release ADD COLUMN disabled INTEGER NOT NULL DEFAULT 0;
