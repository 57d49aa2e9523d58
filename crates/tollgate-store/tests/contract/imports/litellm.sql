-- A part of LiteLLM's schema, with the column types that Prisma makes (1.109), and what a small installation may have in it.

CREATE TABLE "LiteLLM_BudgetTable" (
    "budget_id" TEXT PRIMARY KEY, "max_budget" DOUBLE PRECISION, "soft_budget" DOUBLE PRECISION,
    "max_parallel_requests" INTEGER, "tpm_limit" BIGINT, "rpm_limit" BIGINT, "model_max_budget" JSONB,
    "budget_duration" TEXT, "budget_reset_at" TIMESTAMP(3), "allowed_models" TEXT[] DEFAULT ARRAY[]::TEXT[],
    "created_at" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP, "created_by" TEXT NOT NULL,
    "updated_at" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP, "updated_by" TEXT NOT NULL
);
INSERT INTO "LiteLLM_BudgetTable" ("budget_id", "max_budget", "tpm_limit", "budget_duration", "created_by", "updated_by", "allowed_models")
VALUES ('tier-1', 12.5, 9007199254740993, '7d', 'admin', 'admin', '{}'),
       ('member', 0.1, NULL, '30d', 'admin', 'admin', '{gpt-5-mini}');

CREATE TABLE "LiteLLM_OrganizationTable" (
    "organization_id" TEXT PRIMARY KEY, "organization_alias" TEXT NOT NULL, "budget_id" TEXT NOT NULL,
    "metadata" JSONB NOT NULL DEFAULT '{}', "models" TEXT[], "spend" DOUBLE PRECISION NOT NULL DEFAULT 0,
    "model_spend" JSONB NOT NULL DEFAULT '{}', "created_at" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "created_by" TEXT NOT NULL, "updated_at" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP, "updated_by" TEXT NOT NULL
);
INSERT INTO "LiteLLM_OrganizationTable" ("organization_id", "organization_alias", "budget_id", "models", "spend", "created_by", "updated_by")
VALUES ('org', 'Acme', 'tier-1', '{openai/*}', 3, 'admin', 'admin');

-- Of an early version: without SSO, policies, created_at.
CREATE TABLE "LiteLLM_UserTable" (
    "user_id" TEXT PRIMARY KEY, "user_alias" TEXT, "team_id" TEXT, "organization_id" TEXT, "password" TEXT,
    "teams" TEXT[] DEFAULT ARRAY[]::TEXT[], "user_role" TEXT, "max_budget" DOUBLE PRECISION,
    "spend" DOUBLE PRECISION NOT NULL DEFAULT 0, "user_email" TEXT, "models" TEXT[],
    "metadata" JSONB NOT NULL DEFAULT '{}', "tpm_limit" BIGINT, "rpm_limit" BIGINT, "budget_duration" TEXT,
    "budget_reset_at" TIMESTAMP(3), "allowed_cache_controls" TEXT[] DEFAULT ARRAY[]::TEXT[]
);
INSERT INTO "LiteLLM_UserTable" ("user_id", "user_role", "user_email", "password", "teams", "models", "spend", "max_budget", "budget_duration", "budget_reset_at", "allowed_cache_controls")
VALUES ('alice', 'internal_user', 'alice@example.com', 'scrypt:canary', '{team,gone}', '{no-default-models}', 1.25, 10, '1mo', '2026-12-01 00:00:00', '{no-cache}'),
       ('bob', 'something_new', NULL, NULL, '{}', NULL, 0, NULL, NULL, NULL, NULL);

CREATE TABLE "LiteLLM_ModelTable" ("id" SERIAL PRIMARY KEY, "aliases" JSONB);
INSERT INTO "LiteLLM_ModelTable" ("aliases") VALUES ('{"fast": "gpt-5-mini"}');

CREATE TABLE "LiteLLM_TeamTable" (
    "team_id" TEXT PRIMARY KEY, "team_alias" TEXT, "organization_id" TEXT, "admins" TEXT[], "members" TEXT[],
    "members_with_roles" JSONB NOT NULL DEFAULT '{}', "metadata" JSONB NOT NULL DEFAULT '{}',
    "max_budget" DOUBLE PRECISION, "spend" DOUBLE PRECISION NOT NULL DEFAULT 0, "models" TEXT[],
    "max_parallel_requests" INTEGER, "tpm_limit" BIGINT, "rpm_limit" BIGINT, "budget_duration" TEXT,
    "budget_reset_at" TIMESTAMP(3), "blocked" BOOLEAN NOT NULL DEFAULT false, "model_id" INTEGER,
    "created_at" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP, "updated_at" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP
);
INSERT INTO "LiteLLM_TeamTable" ("team_id", "team_alias", "organization_id", "admins", "members", "members_with_roles", "metadata", "max_budget", "spend", "models", "model_id", "created_at")
VALUES ('team', 'Platform', 'org', '{}', '{bob}', '[{"user_id": "alice", "role": "admin"}, {"user_email": "new@example.com", "role": "user"}]',
        '{"team_member_budget_id": "member", "model_rpm_limit": {"gpt-5": 7}, "cost_centre": 42}', 100, 0.1, '{gpt-5,beta}', 1, '2025-03-04 05:06:07.008');

CREATE TABLE "LiteLLM_TeamMembership" ("user_id" TEXT, "team_id" TEXT, "spend" DOUBLE PRECISION NOT NULL DEFAULT 0, "budget_id" TEXT);
INSERT INTO "LiteLLM_TeamMembership" VALUES ('alice', 'team', 0.000000001, 'member');

CREATE TABLE "LiteLLM_OrganizationMembership" ("user_id" TEXT, "organization_id" TEXT, "user_role" TEXT, "spend" DOUBLE PRECISION, "budget_id" TEXT);
INSERT INTO "LiteLLM_OrganizationMembership" VALUES ('alice', 'org', 'org_admin', 0, NULL);

CREATE TABLE "LiteLLM_EndUserTable" ("user_id" TEXT PRIMARY KEY, "alias" TEXT, "spend" DOUBLE PRECISION NOT NULL DEFAULT 0, "allowed_model_region" TEXT, "default_model" TEXT, "budget_id" TEXT, "blocked" BOOLEAN NOT NULL DEFAULT false);
INSERT INTO "LiteLLM_EndUserTable" VALUES ('customer', NULL, 2, 'eu', NULL, 'tier-1', true);

CREATE TABLE "LiteLLM_VerificationToken" (
    "token" TEXT PRIMARY KEY, "key_name" TEXT, "key_alias" TEXT, "soft_budget_cooldown" BOOLEAN NOT NULL DEFAULT false,
    "spend" DOUBLE PRECISION NOT NULL DEFAULT 0, "expires" TIMESTAMP(3), "models" TEXT[], "aliases" JSONB NOT NULL DEFAULT '{}',
    "config" JSONB NOT NULL DEFAULT '{}', "user_id" TEXT, "team_id" TEXT, "permissions" JSONB NOT NULL DEFAULT '{}',
    "max_parallel_requests" INTEGER, "metadata" JSONB NOT NULL DEFAULT '{}', "blocked" BOOLEAN, "tpm_limit" BIGINT,
    "rpm_limit" BIGINT, "max_budget" DOUBLE PRECISION, "budget_duration" TEXT, "budget_reset_at" TIMESTAMP(3),
    "allowed_routes" TEXT[] DEFAULT ARRAY[]::TEXT[], "access_group_ids" TEXT[] DEFAULT ARRAY[]::TEXT[],
    "model_max_budget" JSONB NOT NULL DEFAULT '{}', "budget_id" TEXT, "organization_id" TEXT, "budget_limits" JSONB,
    "created_at" TIMESTAMP(3), "created_by" TEXT, "auto_rotate" BOOLEAN DEFAULT false, "rotation_interval" TEXT
);
-- The hash is that of `sk-1234`.
INSERT INTO "LiteLLM_VerificationToken" ("token", "key_name", "key_alias", "spend", "expires", "models", "aliases", "user_id", "team_id", "max_parallel_requests", "metadata",
    "tpm_limit", "rpm_limit", "max_budget", "budget_duration", "budget_reset_at", "allowed_routes", "model_max_budget", "budget_id", "budget_limits", "created_at", "created_by", "auto_rotate", "rotation_interval", "permissions")
VALUES ('88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b', 'sk-...1234', 'ci', 0.30000000000000004, '2027-01-01 00:00:00', '{gpt-5}', '{"quick": "gpt-5"}', 'alice', 'team', 3,
    '{"tags": ["prod"], "model_tpm_limit": {"gpt-5": 1000}, "note": "x"}', 50000, 60, 5.5, '24h', '2026-11-27 00:00:00', '{llm_api_routes}',
    '{"gpt-5": {"budget_limit": 1, "time_period": "1d"}, "glm": {"max_budget": 2.5, "budget_duration": "1h"}}', 'tier-1', '[{"budget_duration": "7d", "max_budget": 20}]', '2026-01-02 03:04:05', 'admin', true, '30d', '{"get_spend_routes": true}');
INSERT INTO "LiteLLM_VerificationToken" ("token", "key_alias", "team_id", "spend") VALUES ('page', NULL, 'litellm-dashboard', 9), ('other', 'taken', NULL, 1), ('sk-plain', NULL, NULL, 0);

CREATE TABLE "LiteLLM_ProxyModelTable" ("model_id" TEXT PRIMARY KEY, "model_name" TEXT, "litellm_params" JSONB, "model_info" JSONB);
INSERT INTO "LiteLLM_ProxyModelTable" VALUES ('m', 'gpt-5', '{"model": "encrypted"}', '{}');
