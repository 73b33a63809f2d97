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

-- A pass over all scores, part by part of the subjects' ids: killed, it goes on where it stood.
CREATE TABLE score_run (
    run_id uuid PRIMARY KEY,
    scorecard_version text NOT NULL,
    as_of date NOT NULL,
    parts_total bigint NOT NULL CHECK (parts_total >= 1),
    parts_done bigint NOT NULL DEFAULT 0 CHECK (parts_done <= parts_total),
    seen bigint NOT NULL DEFAULT 0,
    changed bigint NOT NULL DEFAULT 0,
    started_at timestamptz NOT NULL,
    finished_at timestamptz
);

CREATE UNIQUE INDEX score_run_unfinished ON score_run ((finished_at IS NULL))
WHERE finished_at IS NULL;

GRANT SELECT, INSERT, DELETE ON score_history TO creditplus_app;
GRANT SELECT, INSERT, UPDATE ON score_run TO creditplus_app;
