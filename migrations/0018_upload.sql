-- Why: a file of a million lines is taken in off the way of the API: the request only lays it down,
-- sealed and in parts, and the worker takes it in. The parts go when the submission is complete; an
-- upload that was cut off belongs to no submission and goes after an hour.
-- This release works on no older schema, so the service stands still while it is applied: waiting for
-- locks and scanning tables keeps nobody waiting.
-- squawk-ignore-file require-concurrent-index-creation
CREATE TABLE upload (
    upload_id uuid PRIMARY KEY,
    source_code text NOT NULL,
    received_bytes bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL
);

CREATE INDEX upload_created_at ON upload (created_at);

CREATE TABLE upload_part (
    upload_id uuid NOT NULL REFERENCES upload (upload_id) ON DELETE CASCADE,
    begin_byte bigint NOT NULL CHECK (begin_byte >= 0),
    content_sealed bytea NOT NULL,
    PRIMARY KEY (upload_id, begin_byte)
);

-- How the lines are to be read, for whoever goes on with a file; one sent by command lies nowhere.
ALTER TABLE submission
ADD COLUMN upload_id uuid,
ADD COLUMN layout jsonb;

-- A source looks through what it handed in, newest first: ids grow with time.
CREATE INDEX submission_source_code ON submission (source_code, submission_id);

CREATE UNIQUE INDEX submission_upload_id ON submission (upload_id) WHERE upload_id IS NOT NULL;

GRANT SELECT, INSERT, UPDATE, DELETE ON upload, upload_part TO creditplus_app;
