-- Why: source departments hand in by API with software of their own. They are partners of the kind
-- `source`, named in the catalogue's list of sources; their tokens act for no citizen and come from
-- the client credentials grant (RFC 6749 section 4.4), so they have no redirect address.
-- This release works on no older schema, so the service stands still while it is applied: waiting for
-- locks and scanning tables keeps nobody waiting.
-- squawk-ignore-file ban-drop-constraint,constraint-missing-not-valid
ALTER TABLE partner DROP CONSTRAINT partner_kind_check;
ALTER TABLE partner
ADD COLUMN source_code text,
ADD CONSTRAINT partner_kind_check CHECK (kind IN ('merchant', 'lender', 'source')),
ADD CONSTRAINT partner_source_check CHECK ((kind = 'source') = (source_code IS NOT NULL));

ALTER TABLE client DROP CONSTRAINT client_redirect_uris_check;
ALTER TABLE client
ADD CONSTRAINT client_redirect_uris_check CHECK (cardinality(redirect_uris) BETWEEN 0 AND 10);

-- Tokens for a client's own resources. Looked up by hash, like those of a grant.
CREATE TABLE oauth_client_token (
    token_hash bytea PRIMARY KEY CHECK (octet_length(token_hash) = 32),
    client_id text NOT NULL,
    audience text NOT NULL,
    scopes text [] NOT NULL,
    dpop_jkt text NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL CHECK (expires_at <= created_at + interval '600 seconds'),
    revoked_at timestamptz
);

CREATE INDEX oauth_client_token_expires_at ON oauth_client_token (expires_at);

GRANT SELECT, INSERT, UPDATE, DELETE ON oauth_client_token TO creditplus_app;
