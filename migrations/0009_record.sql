-- Why: what source departments hand in becomes records of a subject. A subject is a keyed digest of
-- the national id, so records are kept before an account exists, without one and after it is gone.
-- A file comes in by chunks, each all or nothing: `bytes_done` says how far it is in, and a file
-- sent again goes on from there.
CREATE TABLE submission (
    submission_id uuid PRIMARY KEY,
    source_code text NOT NULL,
    class_code text NOT NULL,
    batch_id text NOT NULL,
    content_digest bytea NOT NULL,
    accepted bigint NOT NULL,
    rejected bigint NOT NULL,
    bytes_done bigint NOT NULL,
    lines_done bigint NOT NULL,
    received_at timestamptz NOT NULL,
    completed_at timestamptz,
    UNIQUE (source_code, batch_id)
);

-- Lines that did not go in, with everything that is wrong with them. The line itself holds
-- personal data: it is sealed, and kept with the first fault of the line only.
CREATE TABLE submission_error (
    submission_id uuid NOT NULL REFERENCES submission (submission_id),
    line_number bigint NOT NULL,
    fault_number bigint NOT NULL,
    column_name text NOT NULL,
    code text NOT NULL,
    message text NOT NULL,
    row_sealed bytea,
    PRIMARY KEY (submission_id, line_number, fault_number),
    CHECK ((fault_number = 0) = (row_sealed IS NOT NULL))
);

-- Nothing is overwritten: a correction is a row with a higher version of the same external id, and
-- the highest version is the current one, in whatever order they arrive.
CREATE TABLE record (
    subject_id uuid NOT NULL,
    record_id uuid NOT NULL,
    class_code text NOT NULL,
    source_code text NOT NULL,
    external_id text NOT NULL,
    version bigint NOT NULL CHECK (version >= 1),
    quantity bigint NOT NULL CHECK (quantity >= 1),
    occurred_on date NOT NULL,
    ended_on date,
    published_until date,
    submission_id uuid NOT NULL,
    reported_at timestamptz NOT NULL,
    PRIMARY KEY (subject_id, record_id),
    UNIQUE (subject_id, source_code, external_id, version)
);

GRANT SELECT, INSERT, UPDATE ON submission TO creditplus_app;
GRANT SELECT, INSERT ON submission_error, record TO creditplus_app;
