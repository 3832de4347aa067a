-- +goose Up
ALTER TABLE setting_connection ADD COLUMN targets TEXT NOT NULL DEFAULT '';
