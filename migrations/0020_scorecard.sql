-- Why: a scorecard comes into force when two people have approved it, each after a report that shows
-- it side by side with the one in force. The text is kept as it was submitted and never edited.
CREATE TABLE scorecard (
    version text PRIMARY KEY,
    document text NOT NULL,
    digest bytea NOT NULL CHECK (octet_length(digest) = 32),
    submitted_by text NOT NULL,
    submitted_at timestamptz NOT NULL,
    in_force_at timestamptz
);

CREATE INDEX scorecard_in_force_at ON scorecard (in_force_at) WHERE in_force_at IS NOT NULL;

-- `champion_version` is null for the first scorecard of a city; it is `scorecard_version` itself in
-- a report of the scorecard in force. `scorecard_digest` says which text was looked at.
CREATE TABLE scorecard_report (
    report_id uuid PRIMARY KEY,
    scorecard_version text NOT NULL REFERENCES scorecard (version),
    scorecard_digest bytea NOT NULL CHECK (octet_length(scorecard_digest) = 32),
    champion_version text,
    as_of date NOT NULL,
    document jsonb NOT NULL,
    made_by text NOT NULL,
    made_at timestamptz NOT NULL
);

CREATE INDEX scorecard_report_version ON scorecard_report (scorecard_version, made_at);

-- The report is part of the key: an approval lapses when its report grows old or another scorecard
-- comes into force, and the same person may then approve again, after a new one.

CREATE TABLE scorecard_approval (
    version text NOT NULL REFERENCES scorecard (version),
    approver text NOT NULL,
    report_id uuid NOT NULL REFERENCES scorecard_report (report_id),
    approved_at timestamptz NOT NULL,
    PRIMARY KEY (version, approver, report_id)
);

GRANT SELECT, INSERT, UPDATE ON scorecard TO creditplus_app;
GRANT SELECT, INSERT ON scorecard_report, scorecard_approval TO creditplus_app;
