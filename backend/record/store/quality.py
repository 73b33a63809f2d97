"""SQL of what came of lines, month by month."""

from datetime import date

from backend.kit.postgres import ReadTx
from backend.record.rules.quality import MonthCounts


async def list_month_counts(
    tx: ReadTx, *, source_code: str | None, first_month: date, end_month: date
) -> list[MonthCounts]:
    """Return the months with lines from `first_month` to before `end_month`, newest first.

    By source (all, when None) and class; a month is one of the city's, by the moment a file first
    came in. How many there can be is bounded by the catalogue.
    """
    return await tx.fetch_all(
        MonthCounts,
        """SELECT source_code, class_code, month,
                  sum(accepted)::bigint AS accepted, sum(rejected)::bigint AS rejected,
                  sum(incomplete)::bigint AS incomplete, sum(duplicates)::bigint AS duplicates,
                  sum(corrections)::bigint AS corrections, sum(withdrawals)::bigint AS withdrawals,
                  sum(repairs)::bigint AS repairs, sum(timed)::bigint AS timed,
                  sum(late)::bigint AS late
           FROM (SELECT *, date_trunc('month', received_at AT TIME ZONE 'Asia/Shanghai')::date
                           AS month
                 FROM submission
                 WHERE ($1::text IS NULL OR source_code = $1)
                     AND received_at >= $2::date::timestamp AT TIME ZONE 'Asia/Shanghai'
                     AND received_at < $3::date::timestamp AT TIME ZONE 'Asia/Shanghai') AS taken
           GROUP BY source_code, class_code, month
           HAVING sum(accepted + rejected) > 0
           ORDER BY month DESC, source_code, class_code""",
        source_code,
        first_month,
        end_month,
    )
