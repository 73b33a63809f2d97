-- no-transaction
-- Why: items end and windows slide on days on which no record comes in. The worker asks every
-- minute which scores are of an earlier day; most of the time there are none.
CREATE INDEX CONCURRENTLY IF NOT EXISTS score_as_of ON score (as_of);
