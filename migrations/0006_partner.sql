-- Why: who may ask the city about a citizen who agrees: the partners, and the software (clients)
-- each of them runs. A partner is the legal person named on the consent screen; a client holds the
-- public keys, redirect addresses and scopes that the authorization server goes by.
CREATE TABLE partner (
    partner_id uuid PRIMARY KEY,
    code text NOT NULL UNIQUE,
    name_zh text NOT NULL,
    name_en text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('merchant', 'lender')),
    created_at timestamptz NOT NULL,
    suspended_at timestamptz
);

CREATE TABLE client (
    client_id text PRIMARY KEY,
    partner_id uuid NOT NULL REFERENCES partner (partner_id),
    name_zh text NOT NULL,
    name_en text NOT NULL,
    jwks jsonb NOT NULL,
    redirect_uris text [] NOT NULL CHECK (cardinality(redirect_uris) BETWEEN 1 AND 10),
    scopes text [] NOT NULL CHECK (cardinality(scopes) >= 1),
    created_at timestamptz NOT NULL,
    suspended_at timestamptz
);

CREATE INDEX client_partner_id ON client (partner_id);

GRANT SELECT, INSERT, UPDATE ON partner TO creditplus_app;
GRANT SELECT, INSERT, UPDATE ON client TO creditplus_app;
