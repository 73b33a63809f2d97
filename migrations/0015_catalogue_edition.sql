-- Why: a city writes its own catalogue and list of sources. An edition is published whole, as the
-- text it was written in, and never edited; the newest one is in force, in every process at once.
CREATE TABLE catalogue_edition (
    edition text PRIMARY KEY,
    document text NOT NULL,
    sources text NOT NULL,
    digest bytea NOT NULL CHECK (octet_length(digest) = 32),
    published_by text NOT NULL,
    published_at timestamptz NOT NULL
);

CREATE INDEX catalogue_edition_published_at ON catalogue_edition (published_at);

GRANT SELECT, INSERT ON catalogue_edition TO creditplus_app;
