-- Why: what the city offers, who enrolled in it, and what partners were told about whom.
-- Programmes and seats are small reference tables; enrolments and decisions belong to a citizen.
CREATE TABLE programme (
    programme_code text PRIMARY KEY,
    version bigint NOT NULL CHECK (version >= 1),
    kind text NOT NULL,
    document jsonb NOT NULL,
    digest bytea NOT NULL CHECK (octet_length(digest) = 32),
    published_at timestamptz NOT NULL,
    ended_at timestamptz
);

-- Every version that was ever in force: an enrolment keeps the one it was promised.
CREATE TABLE programme_version (
    programme_code text NOT NULL REFERENCES programme (programme_code),
    version bigint NOT NULL CHECK (version >= 1),
    document jsonb NOT NULL,
    digest bytea NOT NULL CHECK (octet_length(digest) = 32),
    published_at timestamptz NOT NULL,
    PRIMARY KEY (programme_code, version)
);

-- The CHECK is the last word against overselling; the conditional UPDATE asks it politely.
CREATE TABLE seat_budget (
    programme_code text PRIMARY KEY REFERENCES programme (programme_code),
    seats_total bigint NOT NULL,
    seats_taken bigint NOT NULL DEFAULT 0,
    CHECK (seats_taken BETWEEN 0 AND seats_total)
);

CREATE TABLE enrolment (
    subject_id uuid NOT NULL,
    enrolment_id uuid NOT NULL,
    programme_code text NOT NULL,
    programme_version bigint NOT NULL,
    enrolled_at timestamptz NOT NULL,
    ended_at timestamptz,
    end_reason text CHECK (end_reason IN ('left')),
    PRIMARY KEY (subject_id, enrolment_id),
    CHECK ((ended_at IS NULL) = (end_reason IS NULL))
);

-- One running enrolment a programme; the index decides between two made at the same moment.
CREATE UNIQUE INDEX enrolment_running ON enrolment (subject_id, programme_code)
WHERE ended_at IS NULL;

-- What a partner was told. The trace holds the citizen's facts, sealed under the key of the
-- participation; facts_digest is salted from within the trace, so that it says nothing without it.
CREATE TABLE decision (
    subject_id uuid NOT NULL,
    decision_id uuid NOT NULL,
    partner_id uuid NOT NULL,
    client_id text NOT NULL,
    consent_id uuid NOT NULL,
    programme_code text NOT NULL,
    programme_version bigint NOT NULL,
    eligible boolean NOT NULL,
    facts_digest bytea NOT NULL CHECK (octet_length(facts_digest) = 32),
    trace_sealed bytea,
    decided_at timestamptz NOT NULL,
    valid_until timestamptz,
    day date NOT NULL,
    look_number bigint NOT NULL CHECK (look_number >= 1),
    PRIMARY KEY (subject_id, decision_id),
    CHECK (eligible = (valid_until IS NOT NULL))
);

-- A consent bounds how often its recipient may look on one day. Looks are numbered, and this index
-- decides between two that were given the same number at the same moment.
CREATE UNIQUE INDEX decision_look ON decision (subject_id, consent_id, day, look_number);

GRANT SELECT, INSERT, UPDATE ON programme, programme_version, seat_budget TO creditplus_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON enrolment TO creditplus_app;
GRANT SELECT, INSERT, UPDATE ON decision TO creditplus_app;
