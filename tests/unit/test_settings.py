"""Goal: a wrong environment is told in full, before anything starts. Method: wrong ones."""

import base64
from pathlib import Path

import pytest

from backend.settings import DEMO_KEY_MARK, VARIABLES, SettingsFault, env_example, load_settings

KEY = base64.urlsafe_b64encode(bytes(32)).decode()
OTHER_KEY = base64.urlsafe_b64encode(bytes(range(32))).decode()
PRODUCTION = {
    "CREDIT_ENV": "production",
    "CREDIT_DATABASE_URL": "postgresql://db/credit",
    "CREDIT_VALKEY_URL": "redis://valkey",
    "CREDIT_PUBLIC_ORIGIN": "https://credit.example.cn",
    "CREDIT_KEK": KEY,
    "CREDIT_DIGEST_KEY": OTHER_KEY,
    "CREDIT_IDENTITY_REGISTER_FILE": "/run/register",
    "CREDIT_SMS_GATEWAY_URL": "https://sms.example.cn/send",
    "CREDIT_TRUSTED_PROXIES": "10.0.0.1",
}


def _faults(environ: dict[str, str]) -> list[str]:
    with pytest.raises(SettingsFault) as caught:
        load_settings(environ)
    return caught.value.faults


def test_the_demo_needs_no_variable() -> None:
    settings = load_settings({"PATH": "/bin"})
    assert (settings.env, settings.public_origin) == ("demo", "http://127.0.0.1:8000")


def test_the_origin_follows_the_port_unless_it_is_given() -> None:
    assert load_settings({"CREDIT_PORT": "8123"}).public_origin == "http://127.0.0.1:8123"


def test_all_faults_are_told_at_once() -> None:
    faults = _faults(
        {
            "CREDIT_PORT": "99999",
            "CREDIT_ENV": "staging",
            "CREDIT_KEK": "short",
            "CREDIT_VALKEY_URL": "http://x",
            "CREDIT_COLOUR": "red",
        }
    )
    assert len(faults) == 5
    assert faults[0].startswith("CREDIT_COLOUR is not a variable")


def test_a_value_may_come_from_a_file_but_not_twice(tmp_path: Path) -> None:
    path = tmp_path / "kek"
    path.write_text(KEY + "\n")
    settings = load_settings({"CREDIT_KEK_FILE": str(path)})
    assert settings.kek is not None
    assert settings.kek.reveal() == bytes(32)
    assert "twice" in _faults({"CREDIT_KEK_FILE": str(path), "CREDIT_KEK": KEY})[0]
    assert "can't be read" in _faults({"CREDIT_KEK_FILE": str(tmp_path / "none")})[0]


def test_secrets_print_as_stars() -> None:
    assert KEY not in repr(load_settings({"CREDIT_KEK": KEY}))
    assert "***" in repr(load_settings({"CREDIT_KEK": KEY}))
    urls = {
        "CREDIT_DATABASE_URL": "postgresql://credit:s3cret@db/credit",
        "CREDIT_VALKEY_URL": "redis://:s3cret@valkey/0",
    }
    shown = repr(load_settings(urls))
    assert "s3cret" not in shown
    assert "database_url=***" in shown
    assert "database_url=None" in repr(load_settings({}))


@pytest.mark.parametrize("missing", sorted(PRODUCTION.keys() - {"CREDIT_ENV"}))
def test_production_refuses_to_start_without_what_it_needs(missing: str) -> None:
    load_settings(PRODUCTION)
    environ = {name: value for name, value in PRODUCTION.items() if name != missing}
    assert _faults(environ)


def test_production_refuses_what_is_for_the_demo() -> None:
    assert "one-time codes" in _faults({**PRODUCTION, "CREDIT_CODE_FILE": "/tmp/codes"})[0]
    assert "https" in _faults({**PRODUCTION, "CREDIT_PUBLIC_ORIGIN": "http://127.0.0.1"})[0]
    assert "differ" in _faults({**PRODUCTION, "CREDIT_DIGEST_KEY": KEY})[0]
    assert "machine" in _faults({**PRODUCTION, "CREDIT_WEBHOOK_ALLOW_LOOPBACK": "yes"})[0]


def test_receivers_on_the_machine_are_for_the_demo() -> None:
    assert load_settings({}).webhook_allow_loopback
    assert not load_settings({"CREDIT_WEBHOOK_ALLOW_LOOPBACK": "no"}).webhook_allow_loopback
    assert not load_settings(PRODUCTION).webhook_allow_loopback
    assert "yes or no" in _faults({"CREDIT_WEBHOOK_ALLOW_LOOPBACK": "1"})[0]


def test_production_sends_codes_through_nobody_elses_ears() -> None:
    plain = {**PRODUCTION, "CREDIT_SMS_GATEWAY_URL": "http://sms.example.cn/send"}
    assert _faults(plain) == [
        "CREDIT_SMS_GATEWAY_URL must be https in production, except on the loopback address"
    ]
    for url in ("http://127.0.0.1:9/send", "http://[::1]:9/send", "https://sms.example.cn"):
        load_settings({**PRODUCTION, "CREDIT_SMS_GATEWAY_URL": url})


@pytest.mark.parametrize("name", ["CREDIT_KEK", "CREDIT_DIGEST_KEY"])
def test_production_refuses_the_keys_of_a_demo(name: str) -> None:
    demo_key = base64.urlsafe_b64encode(DEMO_KEY_MARK + bytes(28)).decode()
    assert "demo's key" in _faults({**PRODUCTION, name: demo_key})[0]
    load_settings({name: demo_key})


@pytest.mark.parametrize(
    "origin",
    ["https://a.cn/", "https://a.cn/x", "http://a.cn", "ftp://a.cn", "https://u@a.cn", "a.cn"],
)
def test_an_origin_is_scheme_host_and_port(origin: str) -> None:
    assert "CREDIT_PUBLIC_ORIGIN" in _faults({"CREDIT_PUBLIC_ORIGIN": origin})[0]


def test_the_example_names_every_variable() -> None:
    text = env_example()
    assert all(f"#CREDIT_{variable.name}=" in text for variable in VARIABLES)


def test_only_named_proxies_are_believed() -> None:
    assert load_settings({}).trusted_proxies == ()
    named = load_settings({"CREDIT_TRUSTED_PROXIES": "10.0.0.1, 10.1.0.0/16"})
    assert named.trusted_proxies == ("10.0.0.1", "10.1.0.0/16")
    assert "CREDIT_TRUSTED_PROXIES" in _faults({"CREDIT_TRUSTED_PROXIES": "*"})[0]


@pytest.mark.parametrize("everybody", ["0.0.0.0/0", "10.0.0.1, ::/0"])
def test_everybody_is_no_proxy(everybody: str) -> None:
    assert "not everybody" in _faults({"CREDIT_TRUSTED_PROXIES": everybody})[0]
