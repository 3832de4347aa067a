-- +goose Up
ALTER TABLE dispatch_chunk ADD COLUMN claims TEXT NOT NULL DEFAULT '[]';
