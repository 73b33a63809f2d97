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
    get_vocabulary,
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
    "get_vocabulary",
    "leave_enrolment",
    "list_offers",
    "list_programmes",
    "load",
    "load_by_packaged",
    "may_verify",
    "order_amount_max",
    "packaged_documents",
    "packaged_vocabulary",
    "publish",
    "publish_packaged",
]
