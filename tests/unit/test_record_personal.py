"""Goal: no identity or phone number gets into what is stored or shown in the clear, however it is
written; numbers that offices give their own papers stay good.

Method: one person's numbers in the widths and groups people write them in, beside docket numbers.
"""

import pytest

from backend.kit.problem import Refusal
from backend.record.rules.cell import external_id_of
from backend.record.rules.fault import FaultCode
from backend.record.rules.status import check_words

FULL_WIDTH = str.maketrans("0123456789X", "０１２３４５６７８９Ｘ")
NUMBER, PHONE = "99900119900307203X", "13912345678"
WRITTEN = [
    *(NUMBER, f"x-{NUMBER}", NUMBER.lower(), NUMBER.translate(FULL_WIDTH)),
    *("999001 19900307 203X", "999001-19900307-203X", "99900119900307 203X"),
    *(PHONE, f"tel {PHONE}", f"86{PHONE}", PHONE.translate(FULL_WIDTH), "139 1234 5678"),
]
OFFICES = [
    *("（2026）沪0101执123号", "lib-2026-000123", "310115-20260501-0012", "139-2026-0001"),
    *("91310115MA1K4XYZ0X", "2026050100001234", "（２０２６）沪０１０１执１２３号"),
]


@pytest.mark.parametrize("text", WRITTEN)
def test_a_persons_number_is_found_however_it_is_written(text: str) -> None:
    assert external_id_of(text) is FaultCode.EXTERNAL_ID_PERSONAL
    with pytest.raises(Refusal, match="record_words_invalid"):
        check_words(actor="王敏", reason=f"异议 {text}")


@pytest.mark.parametrize("text", OFFICES)
def test_the_number_an_office_gives_is_none(text: str) -> None:
    assert external_id_of(text) == text
    check_words(actor="王敏", reason=f"异议 {text}")
