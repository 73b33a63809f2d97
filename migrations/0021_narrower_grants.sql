-- Why: what a source said, what was submitted and what was handed over are kept as they came; only
-- the marks that are put on them change. The application may write those columns and no others, so
-- that a fault in it, or somebody who speaks through it, can't rewrite the rest.
REVOKE UPDATE ON record FROM creditplus_app;
GRANT UPDATE (superseded_at, disputed_at, repaired_at) ON record TO creditplus_app;

REVOKE UPDATE ON scorecard FROM creditplus_app;
GRANT UPDATE (in_force_at) ON scorecard TO creditplus_app;

-- Parts go with their upload, as its owner lets them.
REVOKE UPDATE ON upload FROM creditplus_app;
GRANT UPDATE (received_bytes) ON upload TO creditplus_app;
REVOKE UPDATE, DELETE ON upload_part FROM creditplus_app;

REVOKE UPDATE ON oauth_client_token FROM creditplus_app;
GRANT UPDATE (revoked_at) ON oauth_client_token TO creditplus_app;
