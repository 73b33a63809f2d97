-- Why: corrections, withdrawals and repairs arrive as versions, in any order, and what a version
-- says may stop standing: it is superseded by a higher one, disputed, or repaired. The score looks
-- at what stands, so each row says so itself. `superseded_at` is set on arrival when a version never
-- stood (it came late, or it is a withdrawal). `ends_on` is the first day on which a record no longer
-- counts, null while what it reports goes on. `fingerprint` stands for the content in sums over a
-- subject's records: the first eight bytes of a SHA-256 (record/rules/life.py).
-- This release works on no older schema, so the service stands still while it is applied: waiting for
-- locks and scanning tables keeps nobody waiting.
-- squawk-ignore-file disallowed-unique-constraint,renaming-column,ban-drop-constraint,adding-not-nullable-field,require-concurrent-index-creation,constraint-missing-not-valid,adding-serial-primary-key-field
ALTER TABLE record RENAME COLUMN published_until TO ends_on;

ALTER TABLE record
ADD COLUMN action text NOT NULL DEFAULT 'report' CHECK (action IN ('report', 'withdraw', 'repair')),
ADD COLUMN superseded_at timestamptz,
ADD COLUMN disputed_at timestamptz,
ADD COLUMN repaired_at timestamptz,
ADD COLUMN fingerprint bigint;

UPDATE record SET
    fingerprint = ('x' || encode(substr(sha256(convert_to(
        class_code || '|' || source_code || '|' || external_id || '|' || version || '|' || quantity
        || '|' || (occurred_on - date '1970-01-01')
        || '|' || coalesce((ended_on - date '1970-01-01')::text, '')
        || '|' || coalesce((ends_on - date '1970-01-01')::text, ''), 'UTF8'
    )), 1, 8), 'hex'))::bit(64)::bigint;

UPDATE record SET superseded_at = newer.reported_at
FROM record AS newer
WHERE newer.subject_id = record.subject_id AND newer.source_code = record.source_code
    AND newer.external_id = record.external_id AND newer.version > record.version;

ALTER TABLE record ALTER COLUMN fingerprint SET NOT NULL;

-- One key says all: a subject's records lie together, and a version is there once.
ALTER TABLE record
DROP CONSTRAINT record_pkey,
DROP CONSTRAINT record_subject_id_source_code_external_id_version_key;
ALTER TABLE record ADD PRIMARY KEY (subject_id, source_code, external_id, version);

-- A correction may move a record to another person: what came under a source's number before is
-- found by that number alone.
CREATE INDEX record_number ON record (source_code, external_id);
CREATE INDEX record_ends_on ON record (ends_on);

-- What came of the lines of a file, for the marks of its source (record/rules/quality.py).
ALTER TABLE submission
ADD COLUMN duplicates bigint NOT NULL DEFAULT 0,
ADD COLUMN corrections bigint NOT NULL DEFAULT 0,
ADD COLUMN withdrawals bigint NOT NULL DEFAULT 0,
ADD COLUMN repairs bigint NOT NULL DEFAULT 0,
ADD COLUMN incomplete bigint NOT NULL DEFAULT 0,
ADD COLUMN timed bigint NOT NULL DEFAULT 0,
ADD COLUMN late bigint NOT NULL DEFAULT 0;

GRANT UPDATE, DELETE ON record TO creditplus_app;
