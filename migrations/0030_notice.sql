-- Why: what a citizen has to know of is kept where they find it, and a short text without a word about
-- them goes to their phone.
-- This release works on no older schema, so the service stands still while it is applied: waiting for
-- locks and scanning tables keeps nobody waiting.
-- squawk-ignore-file require-concurrent-index-creation
CREATE TABLE notice (
    subject_id uuid NOT NULL,
    notice_id uuid NOT NULL,
    topic text NOT NULL,
    -- Ids, codes, amounts and days: the words are made when it is shown.
    facts jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    sent_at timestamptz,
    read_at timestamptz,
    PRIMARY KEY (subject_id, notice_id)
);

CREATE INDEX notice_created_at ON notice (created_at);

GRANT SELECT, INSERT, DELETE ON notice TO creditplus_app;
GRANT UPDATE (sent_at, read_at) ON notice TO creditplus_app;
