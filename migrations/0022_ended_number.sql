-- Why: a purge deletes all versions under a number whose highest version has ended. A lower one may
-- say of itself that it ends later, or never: sent once more it would come in as new and stand, and
-- what its source had put right would count again. Such a number leaves a mark: versions up to it are
-- refused until `forget_on`, when the last of them would have ended by itself; null: for good.
CREATE TABLE ended_number (
    source_code text NOT NULL,
    external_id text NOT NULL,
    version bigint NOT NULL CHECK (version >= 1),
    forget_on date,
    PRIMARY KEY (source_code, external_id)
);

CREATE INDEX ended_number_forget_on ON ended_number (forget_on);

GRANT SELECT, INSERT, DELETE ON ended_number TO creditplus_app;
GRANT UPDATE (version, forget_on) ON ended_number TO creditplus_app;

-- The highest version under a number was superseded by none, unless it is a withdrawal. Only such
-- versions are looked through for what has ended: many that were corrected cost a purge nothing.
-- This release works on no older schema, so the service stands still while it is applied.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX record_ending ON record (ends_on)
WHERE superseded_at IS NULL OR action = 'withdraw';
-- squawk-ignore require-concurrent-index-deletion
DROP INDEX record_ends_on;
