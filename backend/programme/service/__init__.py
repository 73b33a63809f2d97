"""The programme room's verbs: publish programmes, enrol citizens, answer partners."""

from backend.programme.service.allowance import purge_checks
from backend.programme.service.context import find_context_lacks
from backend.programme.service.dry_run import (
    SignedDryRun,
    get_dry_run,
    is_authentic,
    keep_dry_run,
    list_dry_runs,
    verification_key,
    work_out_dry_run,
)
from backend.programme.service.enrolling import enrol, enrol_many, enrol_or_wait
from backend.programme.service.enrolment import (
    erase,
    get_offer,
    leave_enrolment,
    list_offers,
)
from backend.programme.service.life import (
    approve,
    draft,
    end,
    get_version,
    list_versions,
    pause,
    reject,
    resume,
    submit,
)
from backend.programme.service.publication import (
    Publication,
    PublishedProgramme,
    find_programme,
    get_vocabulary,
    list_for_partner,
    list_programmes,
    load,
    load_by_packaged,
    may_verify,
    order_amount_max,
    packaged_documents,
    packaged_vocabulary,
    publish,
    publish_packaged,
)
from backend.programme.service.seats import FREED_TOPIC
from backend.programme.service.telling import STOPPED_TOPIC, tell_enrolled
from backend.programme.service.told import Told, get_told
from backend.programme.service.verification import check_eligibility
from backend.programme.service.waiting import apply_case, leave_waiting, seat_waiting

__all__ = [
    "FREED_TOPIC",
    "STOPPED_TOPIC",
    "Publication",
    "PublishedProgramme",
    "SignedDryRun",
    "Told",
    "apply_case",
    "approve",
    "check_eligibility",
    "draft",
    "end",
    "enrol",
    "enrol_many",
    "enrol_or_wait",
    "erase",
    "find_context_lacks",
    "find_programme",
    "get_dry_run",
    "get_offer",
    "get_told",
    "get_version",
    "get_vocabulary",
    "is_authentic",
    "keep_dry_run",
    "leave_enrolment",
    "leave_waiting",
    "list_dry_runs",
    "list_for_partner",
    "list_offers",
    "list_programmes",
    "list_versions",
    "load",
    "load_by_packaged",
    "may_verify",
    "order_amount_max",
    "packaged_documents",
    "packaged_vocabulary",
    "pause",
    "publish",
    "publish_packaged",
    "purge_checks",
    "reject",
    "resume",
    "seat_waiting",
    "submit",
    "tell_enrolled",
    "verification_key",
    "work_out_dry_run",
]
