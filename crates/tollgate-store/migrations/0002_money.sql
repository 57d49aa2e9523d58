-- Money: what was spent, by whom, and what may still be spent. Amounts are nano-dollars, times milliseconds since 1970.
-- Nothing is NULL: an empty text and a number below zero say that there is none.

-- What one scope spent within one window. spent + leased is never over the cap that a lease was given under.
CREATE TABLE balances (
    -- Scope, model and window as a JSON list: ["key","<hash>","gpt-*","month",1761955200000].
    pot          TEXT   NOT NULL PRIMARY KEY,
    scope_kind   TEXT   NOT NULL,
    scope_id     TEXT   NOT NULL,
    -- A route's name or a wildcard; empty: all.
    model        TEXT   NOT NULL,
    period       TEXT   NOT NULL,
    start_ms     BIGINT NOT NULL,
    -- The first moment after it; the largest number: never.
    end_ms       BIGINT NOT NULL,
    spent_nanos  BIGINT NOT NULL DEFAULT 0,
    leased_nanos BIGINT NOT NULL DEFAULT 0,
    -- The soft budget of which it was told that it is spent.
    told_nanos   BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX balances_by_scope ON balances (scope_kind, scope_id, start_ms);
CREATE INDEX balances_by_end ON balances (end_ms);

-- What is set aside for one replica.
CREATE TABLE leases (
    replica TEXT   NOT NULL,
    pot     TEXT   NOT NULL,
    nanos   BIGINT NOT NULL,
    PRIMARY KEY (replica, pot)
);

-- Who is alive: the beat goes on.
CREATE TABLE replicas (
    id   TEXT   NOT NULL PRIMARY KEY,
    beat BIGINT NOT NULL
);

-- Spending from before the ledger, and corrections.
CREATE TABLE adjustments (
    id         TEXT   NOT NULL PRIMARY KEY,
    scope_kind TEXT   NOT NULL,
    scope_id   TEXT   NOT NULL,
    model      TEXT   NOT NULL,
    at_ms      BIGINT NOT NULL,
    nanos      BIGINT NOT NULL
);
CREATE INDEX adjustments_by_scope ON adjustments (scope_kind, scope_id, at_ms);

-- Who used what by which way. Few, beside the rows that refer to them.
CREATE TABLE parties (
    -- The beginning of a SHA-256 of all that follows.
    id              BIGINT NOT NULL PRIMARY KEY,
    key_hash        TEXT   NOT NULL,
    team_id         TEXT   NOT NULL,
    user_id         TEXT   NOT NULL,
    organisation_id TEXT   NOT NULL,
    end_user        TEXT   NOT NULL,
    -- The route's name.
    model           TEXT   NOT NULL,
    deployment      TEXT   NOT NULL,
    provider        TEXT   NOT NULL,
    upstream_model  TEXT   NOT NULL
);
CREATE INDEX parties_by_key ON parties (key_hash);
CREATE INDEX parties_by_team ON parties (team_id);
CREATE INDEX parties_by_user ON parties (user_id);
CREATE INDEX parties_by_organisation ON parties (organisation_id);
CREATE INDEX parties_by_end_user ON parties (end_user);

-- One row per request. Rows are added, and removed when they are old; nothing changes one.
CREATE TABLE ledger (
    -- When the request began.
    at_ms              BIGINT NOT NULL,
    charge             TEXT   NOT NULL,
    request_id         TEXT   NOT NULL,
    party              BIGINT NOT NULL,
    status             TEXT   NOT NULL,
    input_tokens       BIGINT NOT NULL,
    output_tokens      BIGINT NOT NULL,
    cache_read_tokens  BIGINT NOT NULL,
    cache_write_tokens BIGINT NOT NULL,
    reasoning_tokens   BIGINT NOT NULL,
    cost_nanos         BIGINT NOT NULL,
    -- 1: at least one count is our own.
    estimated          BIGINT NOT NULL,
    duration_ms        BIGINT NOT NULL,
    -- -1: nothing came.
    first_token_ms     BIGINT NOT NULL,
    attempts           BIGINT NOT NULL,
    -- A JSON list.
    tags               TEXT   NOT NULL,
    PRIMARY KEY (at_ms, charge)
);
CREATE INDEX ledger_by_request ON ledger (request_id);
CREATE INDEX ledger_by_party ON ledger (party, at_ms);

-- The ledger summed up by the hour and by the day of the configured time zone, written with it.
CREATE TABLE usage_hours (
    hour_ms            BIGINT NOT NULL,
    party              BIGINT NOT NULL,
    status             TEXT   NOT NULL,
    requests           BIGINT NOT NULL,
    input_tokens       BIGINT NOT NULL,
    output_tokens      BIGINT NOT NULL,
    cache_read_tokens  BIGINT NOT NULL,
    cache_write_tokens BIGINT NOT NULL,
    reasoning_tokens   BIGINT NOT NULL,
    cost_nanos         BIGINT NOT NULL,
    PRIMARY KEY (hour_ms, party, status)
);
CREATE INDEX usage_hours_by_party ON usage_hours (party, hour_ms);

CREATE TABLE usage_days (
    day_ms             BIGINT NOT NULL,
    party              BIGINT NOT NULL,
    status             TEXT   NOT NULL,
    requests           BIGINT NOT NULL,
    input_tokens       BIGINT NOT NULL,
    output_tokens      BIGINT NOT NULL,
    cache_read_tokens  BIGINT NOT NULL,
    cache_write_tokens BIGINT NOT NULL,
    reasoning_tokens   BIGINT NOT NULL,
    cost_nanos         BIGINT NOT NULL,
    PRIMARY KEY (day_ms, party, status)
);
CREATE INDEX usage_days_by_party ON usage_days (party, day_ms);

-- The same by the requests' tags; a request with two tags counts for both.
CREATE TABLE tag_hours (
    hour_ms            BIGINT NOT NULL,
    tag                TEXT   NOT NULL,
    status             TEXT   NOT NULL,
    requests           BIGINT NOT NULL,
    input_tokens       BIGINT NOT NULL,
    output_tokens      BIGINT NOT NULL,
    cache_read_tokens  BIGINT NOT NULL,
    cache_write_tokens BIGINT NOT NULL,
    reasoning_tokens   BIGINT NOT NULL,
    cost_nanos         BIGINT NOT NULL,
    PRIMARY KEY (hour_ms, tag, status)
);
CREATE INDEX tag_hours_by_tag ON tag_hours (tag, hour_ms);

CREATE TABLE tag_days (
    day_ms             BIGINT NOT NULL,
    tag                TEXT   NOT NULL,
    status             TEXT   NOT NULL,
    requests           BIGINT NOT NULL,
    input_tokens       BIGINT NOT NULL,
    output_tokens      BIGINT NOT NULL,
    cache_read_tokens  BIGINT NOT NULL,
    cache_write_tokens BIGINT NOT NULL,
    reasoning_tokens   BIGINT NOT NULL,
    cost_nanos         BIGINT NOT NULL,
    PRIMARY KEY (day_ms, tag, status)
);
CREATE INDEX tag_days_by_tag ON tag_days (tag, day_ms);
