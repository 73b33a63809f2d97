-- Consents: what a citizen allows one partner, for one purpose, within one programme.
--
-- Rows stay after a consent has ended: with the access ledger they prove that each look was
-- allowed when it happened (个人信息保护法 69 puts that proof on whoever processes the data).

CREATE TABLE consent (
    subject_id uuid NOT NULL,
    consent_id uuid NOT NULL,
    partner_id uuid NOT NULL,
    client_id text NOT NULL,
    purpose text NOT NULL,
    programme_code text NOT NULL,
    -- The terms as they stood on the consent page, and the SHA-256 of their canonical JSON.
    detail jsonb NOT NULL,
    detail_hash bytea NOT NULL CHECK (octet_length(detail_hash) = 32),
    given_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL CHECK (expires_at > given_at),
    ended_at timestamptz,
    end_reason text CHECK (end_reason IN ('withdrawn', 'expired', 'replaced', 'left')),
    PRIMARY KEY (subject_id, consent_id),
    CHECK ((ended_at IS NULL) = (end_reason IS NULL))
);

-- One consent = one recipient × one purpose × one programme; the index decides between two given
-- at the same moment.
CREATE UNIQUE INDEX consent_live ON consent (subject_id, partner_id, purpose, programme_code)
WHERE ended_at IS NULL;

CREATE TABLE consent_refusal (
    subject_id uuid NOT NULL,
    partner_id uuid NOT NULL,
    purpose text NOT NULL,
    refused_at timestamptz NOT NULL,
    cooldown_until timestamptz NOT NULL CHECK (cooldown_until >= refused_at),
    PRIMARY KEY (subject_id, partner_id, purpose)
);

GRANT SELECT, INSERT, UPDATE ON consent TO creditplus_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON consent_refusal TO creditplus_app;
