-- +goose Up
-- Environments of the objects that a request named, as identity.Places writes them;
-- of refusals from before nobody knows.
ALTER TABLE control_verdict ADD COLUMN places TEXT NOT NULL DEFAULT '';
UPDATE control_verdict SET places = '
?
' WHERE verdict = 'REJECTED';

-- +goose Down
ALTER TABLE control_verdict DROP COLUMN places;
