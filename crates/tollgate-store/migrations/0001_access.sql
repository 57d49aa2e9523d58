-- Whom the gateway serves. Every table has what it is looked up by as columns, and the rest as one JSON document.

-- Every change, in the order in which it took effect: the audit trail, and what replicas hear of.
CREATE TABLE changes (
    seq       BIGINT NOT NULL PRIMARY KEY,
    at_ms     BIGINT NOT NULL,
    action    TEXT   NOT NULL,
    kind      TEXT   NOT NULL,
    id        TEXT   NOT NULL,
    -- Who did it: the hash of a key, a user, a role.
    by_key    TEXT,
    by_user   TEXT,
    by_role   TEXT,
    -- The documents, without secrets.
    old_value TEXT,
    new_value TEXT
);
CREATE INDEX changes_by_subject ON changes (kind, id);
CREATE INDEX changes_by_time ON changes (at_ms);

-- One row. Who changes something holds it until the commit, so changes are numbered in the order in which they are seen.
CREATE TABLE change_counter (
    one       BIGINT NOT NULL PRIMARY KEY,
    last      BIGINT NOT NULL,
    -- Changes up to this one were cleaned away.
    forgotten BIGINT NOT NULL
);
INSERT INTO change_counter (one, last, forgotten) VALUES (1, 0, 0);

CREATE TABLE virtual_keys (
    -- SHA-256 of the key, in hexadecimal; the key itself is nowhere.
    id              TEXT   NOT NULL PRIMARY KEY,
    alias           TEXT   UNIQUE,
    name            TEXT,
    user_id         TEXT,
    team_id         TEXT,
    organisation_id TEXT,
    project_id      TEXT,
    budget_id       TEXT,
    created_at_ms   BIGINT NOT NULL,
    updated_at_ms   BIGINT NOT NULL,
    -- Written without a change of the document.
    last_used_at_ms BIGINT,
    document        TEXT   NOT NULL
);
CREATE INDEX virtual_keys_by_user ON virtual_keys (user_id);
CREATE INDEX virtual_keys_by_team ON virtual_keys (team_id);
CREATE INDEX virtual_keys_by_organisation ON virtual_keys (organisation_id);
CREATE INDEX virtual_keys_by_budget ON virtual_keys (budget_id);
CREATE INDEX virtual_keys_by_time ON virtual_keys (created_at_ms, id);

CREATE TABLE teams (
    id              TEXT   NOT NULL PRIMARY KEY,
    alias           TEXT,
    organisation_id TEXT,
    budget_id       TEXT,
    created_at_ms   BIGINT NOT NULL,
    updated_at_ms   BIGINT NOT NULL,
    document        TEXT   NOT NULL
);
CREATE INDEX teams_by_alias ON teams (alias);
CREATE INDEX teams_by_organisation ON teams (organisation_id);
CREATE INDEX teams_by_time ON teams (created_at_ms, id);

CREATE TABLE users (
    id              TEXT   NOT NULL PRIMARY KEY,
    alias           TEXT,
    email           TEXT,
    role            TEXT,
    sso_id          TEXT   UNIQUE,
    organisation_id TEXT,
    budget_id       TEXT,
    created_at_ms   BIGINT NOT NULL,
    updated_at_ms   BIGINT NOT NULL,
    document        TEXT   NOT NULL
);
CREATE INDEX users_by_email ON users (email);
CREATE INDEX users_by_time ON users (created_at_ms, id);

CREATE TABLE organisations (
    id            TEXT   NOT NULL PRIMARY KEY,
    alias         TEXT,
    budget_id     TEXT,
    created_at_ms BIGINT NOT NULL,
    updated_at_ms BIGINT NOT NULL,
    document      TEXT   NOT NULL
);

-- Users in teams.
CREATE TABLE memberships (
    -- team/user
    id            TEXT   NOT NULL PRIMARY KEY,
    team_id       TEXT   NOT NULL,
    user_id       TEXT   NOT NULL,
    role          TEXT   NOT NULL,
    budget_id     TEXT,
    created_at_ms BIGINT NOT NULL,
    updated_at_ms BIGINT NOT NULL,
    document      TEXT   NOT NULL
);
CREATE INDEX memberships_by_team ON memberships (team_id);
CREATE INDEX memberships_by_user ON memberships (user_id);

-- Users in organisations.
CREATE TABLE organisation_members (
    -- organisation/user
    id              TEXT   NOT NULL PRIMARY KEY,
    organisation_id TEXT   NOT NULL,
    user_id         TEXT   NOT NULL,
    role            TEXT   NOT NULL,
    budget_id       TEXT,
    created_at_ms   BIGINT NOT NULL,
    updated_at_ms   BIGINT NOT NULL,
    document        TEXT   NOT NULL
);
CREATE INDEX organisation_members_by_organisation ON organisation_members (organisation_id);
CREATE INDEX organisation_members_by_user ON organisation_members (user_id);

-- Customers of customers: what a request names as its `user`.
CREATE TABLE end_users (
    id            TEXT   NOT NULL PRIMARY KEY,
    alias         TEXT,
    budget_id     TEXT,
    created_at_ms BIGINT NOT NULL,
    updated_at_ms BIGINT NOT NULL,
    document      TEXT   NOT NULL
);
CREATE INDEX end_users_by_time ON end_users (created_at_ms, id);

-- Limits with a name, which others refer to.
CREATE TABLE budgets (
    id            TEXT   NOT NULL PRIMARY KEY,
    created_at_ms BIGINT NOT NULL,
    updated_at_ms BIGINT NOT NULL,
    document      TEXT   NOT NULL
);

CREATE TABLE access_groups (
    id            TEXT   NOT NULL PRIMARY KEY,
    name          TEXT   NOT NULL UNIQUE,
    created_at_ms BIGINT NOT NULL,
    updated_at_ms BIGINT NOT NULL,
    document      TEXT   NOT NULL
);

-- Deployments that were added while the gateway ran. Their credentials are encrypted.
CREATE TABLE models (
    id            TEXT   NOT NULL PRIMARY KEY,
    name          TEXT   NOT NULL,
    created_at_ms BIGINT NOT NULL,
    updated_at_ms BIGINT NOT NULL,
    document      TEXT   NOT NULL
);
CREATE INDEX models_by_name ON models (name);
