-- Why: a programme is drafted, submitted, looked at in a dry run and approved by a second person before
-- it is live; it can be paused and ended. Every change is a new version, and an enrolment keeps the
-- version it was made under, so a version's text never changes once it was submitted.
-- This release works on no older schema, so the service stands still while it is applied: waiting for
-- locks and scanning tables keeps nobody waiting.
-- squawk-ignore-file ban-drop-constraint,constraint-missing-not-valid,ban-drop-default,ban-drop-not-null,adding-not-nullable-field,require-concurrent-index-creation
ALTER TABLE programme_version DROP CONSTRAINT programme_version_programme_code_fkey;

ALTER TABLE programme_version
ADD COLUMN state text NOT NULL DEFAULT 'live'
CHECK (state IN ('draft', 'submitted', 'rejected', 'live', 'retired')),
ADD COLUMN text text NOT NULL DEFAULT '',
ADD COLUMN drafted_by text NOT NULL DEFAULT 'release: author',
ADD COLUMN drafted_at timestamptz,
ADD COLUMN submitted_by text,
ADD COLUMN submitted_at timestamptz,
ADD COLUMN decided_by text,
ADD COLUMN decided_at timestamptz,
ADD COLUMN dry_run_id uuid,
ALTER COLUMN published_at DROP NOT NULL;

UPDATE programme_version AS version SET state = 'retired'
WHERE NOT EXISTS (
    SELECT FROM programme
    WHERE programme.programme_code = version.programme_code AND programme.version = version.version
);

UPDATE programme_version SET drafted_at = published_at;

ALTER TABLE programme_version
ALTER COLUMN state DROP DEFAULT,
ALTER COLUMN text DROP DEFAULT,
ALTER COLUMN drafted_by DROP DEFAULT,
ALTER COLUMN drafted_at SET NOT NULL,
ADD CONSTRAINT programme_version_submitted_check
CHECK ((submitted_by IS NULL) = (submitted_at IS NULL)),
ADD CONSTRAINT programme_version_decided_check
CHECK ((decided_by IS NULL) = (decided_at IS NULL)),
-- Whoever wrote or submitted it does not decide on it.
ADD CONSTRAINT programme_version_four_eyes_check
CHECK (decided_by IS NULL OR decided_by NOT IN (drafted_by, submitted_by)),
ADD CONSTRAINT programme_version_published_check
CHECK ((published_at IS NOT NULL) = (state IN ('live', 'retired')));

-- One version of a programme is live at a time.
CREATE UNIQUE INDEX programme_version_live ON programme_version (programme_code)
WHERE state = 'live';

-- `revision` rises with each step of its life: partners are told of them in this order.
ALTER TABLE programme
ADD COLUMN paused_at timestamptz,
ADD COLUMN revision bigint NOT NULL DEFAULT 1;

-- What a version would mean for the city, before it is approved: looked at by whoever approves, and
-- signed, so that it can be shown later what they saw. Numbers about people are k-anonymous.
CREATE TABLE programme_dry_run (
    dry_run_id uuid PRIMARY KEY,
    programme_code text NOT NULL,
    version bigint NOT NULL,
    digest bytea NOT NULL CHECK (octet_length(digest) = 32),
    live_digest bytea,
    scorecard_version text NOT NULL,
    as_of date NOT NULL,
    document jsonb NOT NULL,
    -- JWS in compact form (RFC 7515) over the canonical JSON of all of it.
    signature text NOT NULL,
    made_by text NOT NULL,
    made_at timestamptz NOT NULL,
    FOREIGN KEY (programme_code, version) REFERENCES programme_version (programme_code, version)
);

CREATE INDEX programme_dry_run_version ON programme_dry_run (programme_code, version, made_at);

-- A place in the queue when all seats are taken; whoever waited longest comes first.
CREATE TABLE waiting (
    subject_id uuid NOT NULL,
    programme_code text NOT NULL,
    waiting_id uuid NOT NULL,
    -- Rises in the order in which they came: they come one after another.
    place bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    -- A person has granted it, and a seat is all that is lacking.
    granted_by_case_id uuid,
    since timestamptz NOT NULL,
    PRIMARY KEY (subject_id, programme_code)
);

CREATE INDEX waiting_programme ON waiting (programme_code, place);

-- A person who looked at a "not yet" may have granted the place all the same.
ALTER TABLE enrolment ADD COLUMN granted_by_case_id uuid;

-- How many checks a partner may make on one day, and how many it made.
CREATE TABLE partner_check (
    partner_id uuid NOT NULL,
    day date NOT NULL,
    checks bigint NOT NULL CHECK (checks >= 0),
    PRIMARY KEY (partner_id, day)
);

ALTER TABLE partner ADD COLUMN checks_a_day bigint CHECK (checks_a_day >= 1);

-- A partner looks up what it was told, by the id it was told.
CREATE INDEX decision_partner ON decision (partner_id, decision_id);

REVOKE UPDATE ON programme_version FROM creditplus_app;
GRANT UPDATE (
    state, text, document, digest, submitted_by, submitted_at, decided_by, decided_at, dry_run_id,
    published_at
) ON programme_version TO creditplus_app;
GRANT DELETE ON programme_version TO creditplus_app;
GRANT SELECT, INSERT ON programme_dry_run TO creditplus_app;
GRANT SELECT, INSERT, DELETE ON waiting TO creditplus_app;
GRANT UPDATE (granted_by_case_id) ON waiting TO creditplus_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON partner_check TO creditplus_app;
