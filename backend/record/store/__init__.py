"""SQL of the record room: submissions and records, editions of the catalogue."""

from backend.record.store.quality import list_month_counts
from backend.record.store.submission import (
    KeptLayout,
    LastReported,
    find_layout,
    find_submission,
    get_submission_by_batch,
    insert_faults,
    insert_submission,
    list_current,
    list_faults,
    list_last_reported,
    list_page,
    lock_submission,
    save_progress,
)

__all__ = [
    "KeptLayout",
    "LastReported",
    "find_layout",
    "find_submission",
    "get_submission_by_batch",
    "insert_faults",
    "insert_submission",
    "list_current",
    "list_faults",
    "list_last_reported",
    "list_month_counts",
    "list_page",
    "lock_submission",
    "save_progress",
]
