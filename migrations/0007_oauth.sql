-- Why: the state of the authorization server. Secrets (request_uri, codes, tokens) are stored only
-- as SHA-256, so a copy of the database opens nothing. These are directories: they are looked up by
-- that hash before the subject is known, and carry the subject. Each row has an end.

-- A pushed authorization request (RFC 9126). The request_uri must be brought to the authorization
-- endpoint by expires_at; the citizen then has until decide_by to sign in, read and answer.
CREATE TABLE oauth_request (
    request_hash bytea PRIMARY KEY CHECK (octet_length(request_hash) = 32),
    client_id text NOT NULL REFERENCES client (client_id),
    parameters jsonb NOT NULL,
    dpop_jkt text,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL CHECK (expires_at <= created_at + interval '600 seconds'),
    decide_by timestamptz NOT NULL CHECK (decide_by >= expires_at),
    begun_at timestamptz,
    consumed_at timestamptz
);

CREATE INDEX oauth_request_decide_by ON oauth_request (decide_by);

-- What one citizen allowed one client. Revoking this row ends every code and token made from it.
CREATE TABLE oauth_grant (
    grant_id uuid PRIMARY KEY,
    subject_id uuid NOT NULL,
    client_id text NOT NULL,
    partner_id uuid NOT NULL,
    consent_id uuid,
    pairwise_subject text NOT NULL,
    scopes text [] NOT NULL,
    details jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL CHECK (expires_at > created_at),
    revoked_at timestamptz
);

CREATE INDEX oauth_grant_subject_consent ON oauth_grant (subject_id, consent_id);
CREATE INDEX oauth_grant_expires_at ON oauth_grant (expires_at);

-- A code is good until expires_at, for a minute at most. Its row stays until kept_until, as long as
-- its grant could be used: a second use must be recognised for all that time.
CREATE TABLE oauth_code (
    code_hash bytea PRIMARY KEY CHECK (octet_length(code_hash) = 32),
    grant_id uuid NOT NULL,
    subject_id uuid NOT NULL,
    client_id text NOT NULL,
    redirect_uri text NOT NULL,
    code_challenge text NOT NULL,
    dpop_jkt text,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL CHECK (expires_at <= created_at + interval '60 seconds'),
    kept_until timestamptz NOT NULL CHECK (kept_until >= expires_at),
    consumed_at timestamptz
);

CREATE INDEX oauth_code_kept_until ON oauth_code (kept_until);

CREATE TABLE oauth_access_token (
    token_hash bytea PRIMARY KEY CHECK (octet_length(token_hash) = 32),
    grant_id uuid NOT NULL,
    subject_id uuid NOT NULL,
    client_id text NOT NULL,
    audience text NOT NULL,
    scopes text [] NOT NULL,
    dpop_jkt text NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL CHECK (expires_at <= created_at + interval '600 seconds'),
    revoked_at timestamptz
);

CREATE INDEX oauth_access_token_expires_at ON oauth_access_token (expires_at);

CREATE TABLE oauth_refresh_token (
    token_hash bytea PRIMARY KEY CHECK (octet_length(token_hash) = 32),
    grant_id uuid NOT NULL,
    subject_id uuid NOT NULL,
    client_id text NOT NULL,
    audience text NOT NULL,
    dpop_jkt text NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL CHECK (expires_at <= created_at + interval '90 days'),
    revoked_at timestamptz
);

CREATE INDEX oauth_refresh_token_expires_at ON oauth_refresh_token (expires_at);

-- Our own keys, one active key a use; private parts are sealed under the key-encryption key.
CREATE TABLE signing_key (
    kid text PRIMARY KEY,
    key_use text NOT NULL CHECK (key_use IN ('response')),
    status text NOT NULL CHECK (status IN ('next', 'active', 'retiring')),
    private_sealed bytea NOT NULL,
    public_jwk jsonb NOT NULL,
    created_at timestamptz NOT NULL
);

CREATE UNIQUE INDEX signing_key_one_active ON signing_key (key_use) WHERE status = 'active';

GRANT SELECT, INSERT, UPDATE, DELETE ON
oauth_request, oauth_grant, oauth_code, oauth_access_token, oauth_refresh_token, signing_key
TO creditplus_app;
