-- Why: a score says what it is worked out from and when it changes by itself, and every score a
-- citizen had can be compared with any other. What a score rests on are the values of its scorecard's
-- indicators, in the scorecard's order: points, dimensions and reasons follow from them, so nothing
-- else is kept. `input_digest` fingerprints the records that stood, `due_on` is the first day on
-- which it may differ without any new record, `revision` counts up with each write, so that work
-- done on an older picture never overwrites a newer one.
-- This release works on no older schema, so the service stands still while it is applied: waiting for
-- locks and scanning tables keeps nobody waiting.
-- squawk-ignore-file ban-drop-default,ban-drop-column,require-concurrent-index-creation,require-concurrent-index-deletion
ALTER TABLE score
DROP COLUMN tier_code,
DROP COLUMN facts,
DROP COLUMN explanation_sealed,
ADD COLUMN indicator_values integer [] NOT NULL DEFAULT '{}',
ADD COLUMN revision bigint NOT NULL DEFAULT 0,
ADD COLUMN due_on date NOT NULL DEFAULT '1970-01-01';

ALTER TABLE score
ALTER COLUMN indicator_values DROP DEFAULT,
ALTER COLUMN revision DROP DEFAULT,
ALTER COLUMN due_on DROP DEFAULT;

DROP INDEX score_as_of;
CREATE INDEX score_due_on ON score (due_on);

CREATE TABLE score_history (
    subject_id uuid NOT NULL,
    revision bigint NOT NULL CHECK (revision >= 1),
    points bigint NOT NULL CHECK (points >= 0),
    identity_points bigint NOT NULL,
    performance_points bigint NOT NULL,
    law_points bigint NOT NULL,
    economic_points bigint NOT NULL,
    civic_points bigint NOT NULL,
    indicator_values integer [] NOT NULL,
    scorecard_version text NOT NULL,
    input_digest bytea NOT NULL CHECK (octet_length(input_digest) = 32),
    as_of date NOT NULL,
    computed_at timestamptz NOT NULL,
    PRIMARY KEY (subject_id, revision)
);

-- Revisions come in the order of time, so the oldest lie together.
CREATE INDEX score_history_computed_at ON score_history USING brin (computed_at);

-- What a score is worked out from, side by side for each subject: a pass over all scores then reads
-- this index from end to end and nothing else, without a sort, whatever order files came in.
CREATE INDEX record_standing ON record (subject_id)
INCLUDE (class_code, quantity, occurred_on, ended_on, ends_on, fingerprint)
WHERE superseded_at IS NULL AND disputed_at IS NULL AND repaired_at IS NULL;

-- A pass over all scores with one scorecard, in parts of the subjects' ids. A part is done in one
-- transaction; killed, the pass goes on with the parts that are left, and several processes share
-- them. It is finished when no part is left, or when another scorecard has come into force.
CREATE TABLE score_run (
    run_id uuid PRIMARY KEY,
    scorecard_version text NOT NULL,
    started_at timestamptz NOT NULL,
    finished_at timestamptz
);

CREATE UNIQUE INDEX score_run_unfinished ON score_run ((finished_at IS NULL))
WHERE finished_at IS NULL;

CREATE TABLE score_run_part (
    run_id uuid NOT NULL,
    ordinal bigint NOT NULL CHECK (ordinal >= 0),
    first_subject uuid NOT NULL,
    end_subject uuid NOT NULL CHECK (end_subject > first_subject),
    seen bigint NOT NULL DEFAULT 0,
    changed bigint NOT NULL DEFAULT 0,
    done_at timestamptz,
    PRIMARY KEY (run_id, ordinal)
);

GRANT SELECT, INSERT, DELETE ON score_history TO creditplus_app;
GRANT SELECT, INSERT, UPDATE ON score_run, score_run_part TO creditplus_app;
