-- Why: whoever runs the service signs in by name, with a password and a second factor, and may do
-- what their roles say and nothing else. What they did is kept where nobody can change it.
-- This release works on no older schema, so the service stands still while it is applied: waiting for
-- locks and scanning tables keeps nobody waiting.
-- squawk-ignore-file require-concurrent-index-creation
CREATE TABLE operator (
    operator_id uuid PRIMARY KEY,
    login text NOT NULL UNIQUE,
    name_zh text NOT NULL,
    name_en text NOT NULL,
    roles text [] NOT NULL CHECK (
        cardinality(roles) >= 1
        AND roles <@ ARRAY['programmes', 'data', 'cases', 'security', 'audit']
    ),
    -- PHC string of argon2id, and the RFC 6238 secret, sealed for the service. Both are null until
    -- the operator has set them up: whoever adds an operator never knows them.
    password_hash text,
    totp_sealed bytea,
    -- SHA-256 of the code they are set up with, once, until its time is over.
    set_up_hash bytea CHECK (octet_length(set_up_hash) = 32),
    set_up_until timestamptz,
    -- The last time step whose code was used: a code works once (RFC 6238 section 5.2).
    totp_step bigint NOT NULL DEFAULT 0 CHECK (totp_step >= 0),
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    suspended_at timestamptz,
    CHECK ((password_hash IS NULL) = (totp_sealed IS NULL)),
    CHECK ((set_up_hash IS NULL) = (set_up_until IS NULL))
);

CREATE TABLE operator_session (
    token_hash bytea PRIMARY KEY CHECK (octet_length(token_hash) = 32),
    operator_id uuid NOT NULL REFERENCES operator (operator_id),
    kind text NOT NULL CHECK (kind IN ('api', 'web')),
    -- RFC 7638 thumbprint of the key an API session is bound to.
    jkt text CHECK ((jkt IS NOT NULL) = (kind = 'api')),
    created_at timestamptz NOT NULL,
    -- The session ends after some minutes without use, and at expires_at whatever happens.
    seen_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL CHECK (expires_at > created_at),
    ended_at timestamptz
);

CREATE INDEX operator_session_operator_id ON operator_session (operator_id);
CREATE INDEX operator_session_expires_at ON operator_session (expires_at);

-- Wrong passwords and codes, counted for a login and for an address by their keyed digest.
CREATE TABLE operator_try (
    counter_hash bytea PRIMARY KEY CHECK (octet_length(counter_hash) = 32),
    tried_at timestamptz [] NOT NULL CHECK (cardinality(tried_at) <= 100),
    touched_at timestamptz NOT NULL
);

CREATE INDEX operator_try_touched_at ON operator_try (touched_at);

-- What operators did, append-only like the looks at citizens: `object` names what was acted on,
-- `reason` is in the operator's own words, `facts` hold ids, codes and numbers.
-- Whoever acts from the server's shell is no operator: the login is then "cli:" and their name.
CREATE TABLE operator_entry (
    entry_id uuid PRIMARY KEY,
    operator_id uuid CHECK ((operator_id IS NULL) = (login LIKE 'cli:%')),
    login text NOT NULL,
    action text NOT NULL,
    object text NOT NULL,
    reason text NOT NULL CHECK (reason <> ''),
    facts jsonb NOT NULL,
    at timestamptz NOT NULL
);

CREATE INDEX operator_entry_object ON operator_entry (object, entry_id);
CREATE INDEX operator_entry_login ON operator_entry (login, entry_id);

CREATE TRIGGER operator_entry_keeps_rows BEFORE UPDATE OR DELETE ON operator_entry
FOR EACH ROW EXECUTE FUNCTION refuse_ledger_change();

CREATE TRIGGER operator_entry_keeps_all BEFORE TRUNCATE ON operator_entry
FOR EACH STATEMENT EXECUTE FUNCTION refuse_ledger_change();

GRANT SELECT, INSERT ON operator TO creditplus_app;
GRANT UPDATE (
    roles, password_hash, totp_sealed, set_up_hash, set_up_until, totp_step, suspended_at
) ON operator TO creditplus_app;
GRANT SELECT, INSERT, DELETE ON operator_session TO creditplus_app;
GRANT UPDATE (seen_at, ended_at) ON operator_session TO creditplus_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON operator_try TO creditplus_app;
GRANT SELECT, INSERT ON operator_entry TO creditplus_app;
