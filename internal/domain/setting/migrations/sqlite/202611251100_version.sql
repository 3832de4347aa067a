-- +goose Up
ALTER TABLE setting_value ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
