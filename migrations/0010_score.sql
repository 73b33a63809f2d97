-- Why: a participant has one score, with the version of the scorecard, the day and the digest of
-- the input it was worked out from, so that it can be worked out again. Why it is what it is lies
-- sealed under the key of the participation: leaving destroys that key, and the row goes too.
CREATE TABLE score (
    subject_id uuid PRIMARY KEY,
    points bigint NOT NULL CHECK (points >= 0),
    tier_code text NOT NULL,
    identity_points bigint NOT NULL,
    performance_points bigint NOT NULL,
    law_points bigint NOT NULL,
    economic_points bigint NOT NULL,
    civic_points bigint NOT NULL,
    facts jsonb NOT NULL,
    scorecard_version text NOT NULL,
    input_digest bytea NOT NULL,
    as_of date NOT NULL,
    explanation_sealed bytea NOT NULL,
    computed_at timestamptz NOT NULL
);

GRANT SELECT, INSERT, UPDATE, DELETE ON score TO creditplus_app;
