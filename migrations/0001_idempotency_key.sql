-- Why: a request sent twice must have one effect and one answer, so the answer is kept beside it.
-- The application never connects as the owner of the tables: it acts as creditplus_app, which can
-- do only what each table grants (the access ledger grants no UPDATE and no DELETE).
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'creditplus_app') THEN
        CREATE ROLE creditplus_app NOLOGIN;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    -- Two databases of one cluster may be migrated at the same moment.
    NULL;
END
$$;

GRANT USAGE ON SCHEMA public TO creditplus_app;

CREATE TABLE idempotency_key (
    owner_id uuid NOT NULL,
    key text NOT NULL,
    request_digest bytea NOT NULL,
    answer bytea NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (owner_id, key)
);

CREATE INDEX idempotency_key_expires_at ON idempotency_key (expires_at);

GRANT SELECT, INSERT, UPDATE, DELETE ON idempotency_key TO creditplus_app;
