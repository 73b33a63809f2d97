-- Why: a proof or assertion is good once. Valkey remembers that; when Valkey is away this table
-- does, so that nothing fails open. UNLOGGED: a crash may empty it, but what it guards lives for
-- minutes at most, and a crash ends every connection that could race.
CREATE UNLOGGED TABLE replay_marker (
    marker bytea PRIMARY KEY,
    expires_at timestamptz NOT NULL
);

CREATE INDEX replay_marker_expires_at ON replay_marker (expires_at);

GRANT SELECT, INSERT, UPDATE, DELETE ON replay_marker TO creditplus_app;
