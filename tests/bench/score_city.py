"""A city of any size to score: participants and twelve records each, made inside PostgreSQL.

The records of one citizen lie far apart in the table, as they do when department after department
hands its files in. Identity numbers play no part here: subjects are digests of a running number.
"""

from datetime import datetime
from uuid import UUID

import asyncpg

from backend.event.rules import Event
from backend.kit.ids import new_id

RECORDS_A_CITIZEN = 12
# (class, source, largest quantity, oldest in days, kept in days; None: it goes on)
_CLASSES = (
    ("residence_registration", "public_security_bureau", 1, 2_000, None),
    ("utility_paid", "water_company", 12, 400, 1_095),
    ("library_return", "city_library", 9, 800, 1_095),
    ("transit_ride_paid", "transit_company", 60, 800, 1_095),
    ("social_insurance", "human_resources_bureau", 12, 2_000, 3_650),
    ("volunteer_service", "volunteer_federation", 9, 800, 1_825),
    ("tax_filing", "tax_bureau", 1, 1_100, 1_825),
    ("utility_late", "water_company", 2, 300, 365),
    ("penalty_general", "city_management_bureau", 1, 300, 365),
    ("pledge_kept", "credit_office", 1, 1_500, 1_825),
    ("rental_performed", "housing_bureau", 1, 400, 1_825),
    ("library_overdue", "city_library", 3, 80, 90),
    ("tax_level", "tax_bureau", 5, 700, 1_095),
    ("civic_honour", "civic_office", 1, 2_000, 3_650),
)
_FILL = """
INSERT INTO record (subject_id, record_id, class_code, source_code, external_id, version, quantity,
    occurred_on, ended_on, ends_on, submission_id, reported_at, fingerprint)
SELECT md5(citizen::text)::uuid, gen_random_uuid(), class_code, source_code,
    citizen || '-' || place, 1, 1 + (citizen + place) % largest, occurred_on, NULL,
    occurred_on + kept, '00000000-0000-0000-0000-000000000000', now(),
    hashtextextended(citizen || '-' || place, 0)
FROM generate_series(0, {records} - 1) AS places (place)
CROSS JOIN generate_series(1, {citizens}) AS citizens (citizen)
JOIN (VALUES {classes}) AS classes (number, class_code, source_code, largest, oldest, kept)
    ON number = (citizen + place * 5) % {class_count}
CROSS JOIN LATERAL (
    SELECT current_date - ((citizen * 7 + place * 31) % oldest)::int AS occurred_on) AS day
"""
_JOIN = """
WITH registered AS (
    INSERT INTO account (subject_id, data_key, phone_sealed, name_sealed, national_id_sealed,
        created_at)
    SELECT md5(citizen::text)::uuid, '', '', '', '', now()
    FROM generate_series(1, {citizens}) AS citizens (citizen)
    RETURNING subject_id),
joined AS (
    INSERT INTO participation (subject_id, data_key, notice_version, joined_at)
    SELECT subject_id, '', '1', now() FROM registered
    RETURNING subject_id)
INSERT INTO score (subject_id, points, identity_points, performance_points, law_points,
    economic_points, civic_points, indicator_values, scorecard_version, input_digest, as_of, due_on,
    revision, computed_at)
SELECT subject_id, 0, 0, 0, 0, 0, 0, '{{}}', '', sha256(''), current_date, current_date, 0, now()
FROM joined
"""


async def fill(connection: "asyncpg.Connection[asyncpg.Record]", citizens: int) -> None:
    """Empty the tables and make a city of `citizens` participants; bring the tables to rest."""
    await connection.execute(
        "TRUNCATE record, account, participation, score, score_history, score_run CASCADE"
    )
    values = ", ".join(
        f"({number}, '{code}', '{source}', {largest}, {oldest}, {kept or 'NULL'}::int)"
        for number, (code, source, largest, oldest, kept) in enumerate(_CLASSES)
    )
    await connection.execute(
        _FILL.format(
            records=RECORDS_A_CITIZEN,
            citizens=citizens,
            classes=values,
            class_count=len(_CLASSES),
        )
    )
    await connection.execute(_JOIN.format(citizens=citizens))
    await connection.execute("VACUUM (ANALYZE) record, participation, score")
    await connection.execute("CHECKPOINT")


def changed_event(subject_ids: list[UUID], now: datetime) -> Event:
    """Return the event that says that records of these subjects changed."""
    return Event(
        event_id=new_id(now),
        topic="records.changed",
        subject_id=None,
        payload={"subject_ids": [str(each) for each in subject_ids]},
    )
