-- Answers that Responses clients refer to later. Times are milliseconds since 1970.
CREATE TABLE kept_responses (
    id         TEXT   NOT NULL PRIMARY KEY,
    -- Whom it was given to, by kind and id; empty: whoever has the master key.
    owner      TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    bytes      BIGINT NOT NULL,
    -- The turn as JSON, encrypted where there is a secret to encrypt with.
    body       TEXT   NOT NULL
);
CREATE INDEX kept_responses_by_age ON kept_responses (created_at);
