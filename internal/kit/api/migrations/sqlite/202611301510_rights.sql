-- +goose Up
ALTER TABLE api_idempotency ADD COLUMN rights TEXT NOT NULL DEFAULT '';
