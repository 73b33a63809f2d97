"""The record room's verbs: take files in, show what is on record, publish the catalogue."""

from backend.record.service.catalogue import (
    CatalogueOutcome,
    check_sender,
    find_edition,
    get_catalogue,
    list_editions,
    packaged_catalogue,
    packaged_texts,
    publish_catalogue,
    publish_packaged_catalogue,
)
from backend.record.service.quality import list_quality, time_reports
from backend.record.service.submission import (
    FAULTS_SHOWN_MAX,
    RECORDS_CHANGED,
    SUBJECTS_PER_EVENT,
    RecordPage,
    list_current,
    list_current_by_subject,
    list_faults,
    list_last_reported,
    list_records,
    open_line,
    open_submission,
    take_chunk,
)

__all__ = [
    "FAULTS_SHOWN_MAX",
    "RECORDS_CHANGED",
    "SUBJECTS_PER_EVENT",
    "CatalogueOutcome",
    "RecordPage",
    "check_sender",
    "find_edition",
    "get_catalogue",
    "list_current",
    "list_current_by_subject",
    "list_editions",
    "list_faults",
    "list_last_reported",
    "list_quality",
    "list_records",
    "open_line",
    "open_submission",
    "packaged_catalogue",
    "packaged_texts",
    "publish_catalogue",
    "publish_packaged_catalogue",
    "take_chunk",
    "time_reports",
]
