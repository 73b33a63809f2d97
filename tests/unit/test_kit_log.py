"""Goal: no personal data, token or body has a way into a log. Method: try to log some."""

import json
import logging

import pytest

from backend.kit import log as kit_log
from backend.kit.log import ForbiddenLogKey, configure_logs, get_log


def _lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, str]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


@pytest.fixture(autouse=True)
def _restore() -> object:
    yield
    configure_logs(strict=True)


def test_a_line_is_json_with_allowed_keys(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(strict=True)
    get_log("room").info("relayed", topic="citizen.joined", count=3)
    (line,) = _lines(capsys)
    assert (line["event"], line["topic"], line["count"]) == ("relayed", "citizen.joined", 3)


@pytest.mark.parametrize("key", ["phone", "name", "national_id", "token", "body", "subject_id"])
def test_a_key_for_personal_data_does_not_exist(
    key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logs(strict=True)
    with pytest.raises(ForbiddenLogKey):
        get_log("room").info("x", **{key: "13800000000"})
    configure_logs(strict=False)
    get_log("room").info("x", **{key: "13800000000"})
    assert "13800000000" not in capsys.readouterr().err


def test_an_exceptions_message_is_not_logged(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(strict=True)
    try:
        raise ValueError("13800000000")
    except ValueError as fault:
        get_log("room").error("failed", exc_info=fault)
    (line,) = _lines(capsys)
    assert line["error_type"] == "ValueError"
    assert line["error_place"].startswith("test_kit_log.py:")
    assert "13800000000" not in json.dumps(line)


def test_a_librarys_warning_loses_its_words(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(strict=True)
    logging.getLogger("authlib").warning("token cp_at_secret for %s", "13800000000")
    text = capsys.readouterr().err
    assert "library_warning" in text
    assert "secret" not in text
    assert "13800000000" not in text


def test_every_allowed_key_is_a_word_for_a_thing_not_a_person() -> None:
    suspicious = ("phone", "name", "national", "token", "body", "subject", "citizen", "address")
    assert not [key for key in kit_log.ALLOWED_KEYS if any(word in key for word in suspicious)]
