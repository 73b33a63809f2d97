-- Why: what must follow from a change is written in the change's own transaction, and carried to
-- the queue afterwards. The queue may lose everything; this table may not.
CREATE TABLE outbox (
    event_id uuid PRIMARY KEY,
    topic text NOT NULL,
    subject_id uuid,
    payload jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    handed_at timestamptz,
    done_at timestamptz
);

-- The relay looks only at what is open; what is done leaves the index.
CREATE INDEX outbox_open ON outbox (event_id) WHERE done_at IS NULL;

GRANT SELECT, INSERT, UPDATE, DELETE ON outbox TO creditplus_app;
