"""The programme room's verbs: publish programmes, enrol citizens, answer partners."""

from backend.programme.service.enrolment import (
    enrol,
    erase,
    get_offer,
    leave_enrolment,
    list_offers,
)
from backend.programme.service.publication import (
    Publication,
    PublishedProgramme,
    end,
    find_programme,
    list_programmes,
    load,
    may_verify,
    packaged_documents,
    publish,
    publish_packaged,
    vocabulary,
)
from backend.programme.service.verification import check_eligibility

__all__ = [
    "Publication",
    "PublishedProgramme",
    "check_eligibility",
    "end",
    "enrol",
    "erase",
    "find_programme",
    "get_offer",
    "leave_enrolment",
    "list_offers",
    "list_programmes",
    "load",
    "may_verify",
    "packaged_documents",
    "publish",
    "publish_packaged",
    "vocabulary",
]
