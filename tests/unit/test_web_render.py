"""Goal: headers and templates of the pages let in no script, no frame and no foreign form.

Method: headers are compared with what they must say; templates are read as files, because what
must not stand in any of them can be seen there for all pages at once.
"""

import re
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from backend.web import words
from backend.web.headers import page_headers
from backend.web.words import city_day, city_day_en, city_day_iso, city_time, city_time_en

WEB = Path(words.__file__).parent
TEMPLATES = sorted((WEB / "templates").rglob("*.html"))


def form_action(form_target: str | None) -> str:
    headers = page_headers(is_secure=False, form_target=form_target)
    return headers["Content-Security-Policy"].rpartition("form-action ")[2]


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (None, "'self'"),
        ("https://library.example/cb?a=b", "'self' https://library.example"),
        ("https://library.example:8443/cb", "'self' https://library.example:8443"),
        ("http://127.0.0.1:8090/cb", "'self' http://127.0.0.1:8090"),
        ("http://[::1]:8090/cb", "'self' http:"),
        ("cn.example.library:/cb", "'self' cn.example.library:"),
    ],
)
def test_a_form_may_lead_to_the_clients_origin_and_nowhere_else(
    target: str | None, expected: str
) -> None:
    assert form_action(target) == expected


@pytest.mark.parametrize(
    "target",
    [
        "https://a.example;script-src *",
        "https://a.example *",
        "https://*",
        "javascript:alert(1)",
        "",
    ],
)
def test_a_redirect_address_cannot_write_the_policy(target: str) -> None:
    assert form_action(target) == "'self'"


def test_every_page_forbids_frames_scripts_and_keeping() -> None:
    headers = page_headers(is_secure=True, form_target=None)
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'self'")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "script-src" not in policy
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Strict-Transport-Security"]
    plain = page_headers(is_secure=False, form_target=None)
    assert "Strict-Transport-Security" not in plain


def test_no_template_holds_a_script_an_inline_style_or_a_way_around_escaping() -> None:
    assert TEMPLATES
    for path in TEMPLATES:
        text = path.read_text()
        for forbidden in ("<script", "<style", " style=", "javascript:", "| safe", "|safe"):
            assert forbidden not in text, f"{forbidden} in {path.name}"
        assert re.search(r"\son\w+=", text) is None, f"an event handler in {path.name}"
        assert "autoescape" not in text, path.name


def test_every_form_of_every_template_carries_a_token() -> None:
    for path in TEMPLATES:
        forms = re.findall(r"<form\b.*?</form>", path.read_text(), re.DOTALL)
        for form in forms:
            assert 'method="post"' in form, path.name
            assert 'name="csrf" value="{{ csrf(' in form, path.name


def test_every_english_text_says_that_it_is_english() -> None:
    for path in TEMPLATES:
        for tag in re.findall(r'<\w+[^>]*class="en(?:-inline)?"[^>]*>', path.read_text()):
            assert 'lang="en"' in tag, f"{tag} in {path.name}"


def test_days_and_moments_are_the_citys() -> None:
    late = datetime(2026, 11, 23, 16, 5, tzinfo=UTC)  # 00:05 on the 24th in the city
    assert city_day(late) == "2026年11月24日"
    assert city_day_en(late) == "24 November 2026"
    assert city_day_iso(late) == "2026-11-24"
    assert city_time(late) == "2026年11月24日 00:05"
    assert city_time_en(late) == "24 November 2026, 00:05"
    assert city_day(date(2026, 1, 2)) == "2026年1月2日"
