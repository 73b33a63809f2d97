-- Why: what has ended is deleted, and a proof stays of what went: how many records of which class and
-- source, and a keyed digest of each, by which whoever has the record can find it, and nobody else
-- can learn anything. Lines kept aside hold personal data too: their faults may be deleted after the
-- time docs/record-life.md names.
CREATE TABLE record_purge (
    purge_id uuid PRIMARY KEY,
    ended_before date NOT NULL,
    record_count bigint NOT NULL CHECK (record_count >= 1),
    digest bytea NOT NULL CHECK (octet_length(digest) = 32),
    purged_at timestamptz NOT NULL
);

CREATE TABLE purged_record (
    purge_id uuid NOT NULL REFERENCES record_purge (purge_id),
    ordinal bigint NOT NULL CHECK (ordinal >= 0),
    class_code text NOT NULL,
    source_code text NOT NULL,
    record_digest bytea NOT NULL CHECK (octet_length(record_digest) = 32),
    PRIMARY KEY (purge_id, ordinal)
);

CREATE INDEX purged_record_digest ON purged_record (record_digest);

-- Every step of a dispute or a repair, by whom and why.
CREATE TABLE record_step (
    subject_id uuid NOT NULL,
    step_id uuid NOT NULL,
    record_id uuid NOT NULL,
    step text NOT NULL CHECK (step IN ('dispute', 'confirm', 'repair')),
    actor text NOT NULL,
    reason text NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (subject_id, step_id)
);

GRANT SELECT, INSERT ON record_purge, purged_record TO creditplus_app;
GRANT SELECT, INSERT, DELETE ON record_step TO creditplus_app;
GRANT DELETE ON submission_error TO creditplus_app;
