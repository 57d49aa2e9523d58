-- Whom the gateway serves. Every table has what it is looked up by as columns, and the rest as one JSON document.

CREATE TABLE virtual_keys (
    -- SHA-256 of the key, in hexadecimal; the key itself is nowhere.
    hash            TEXT   NOT NULL PRIMARY KEY,
    alias           TEXT   UNIQUE,
    user_id         TEXT,
    team_id         TEXT,
    organisation_id TEXT,
    budget_id       TEXT,
    created_at_ms   BIGINT NOT NULL,
    updated_at_ms   BIGINT NOT NULL,
    document        TEXT   NOT NULL
);
CREATE INDEX virtual_keys_by_user ON virtual_keys (user_id);
CREATE INDEX virtual_keys_by_team ON virtual_keys (team_id);
