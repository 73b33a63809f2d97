"""Goal: no URL and no address a partner can think of leads us to something that is ours.

Method: tables of URLs and addresses, each with what must be said of it; the addresses by the
registries (RFC 6890 and its successors) and the forms in which one hides another.
"""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.kit.problem import Refusal
from backend.webhook.rules.address import (
    TargetPolicy,
    is_allowed,
    url_faults,
)
from backend.webhook.rules.endpoint import check_endpoint

PUBLIC = TargetPolicy(allow_loopback=False)
LOOPBACK = TargetPolicy(allow_loopback=True)

FINE = [
    "https://bikes.example.cn/hooks",
    "https://bikes.example.cn:8443/hooks?key=1",
    "https://bikes.example.cn.",
    "https://1.1.1.1/hooks",
    "https://[2606:4700:4700::1111]/hooks",
    "https://xn--fiqs8s.example.cn/",
]
REFUSED = [
    "http://bikes.example.cn/",
    "https://bikes.example.cn:22/",
    "https://bikes.example.cn:6379/",
    "https://user@bikes.example.cn/",
    "https://user:word@bikes.example.cn/",
    "https://bikes.example.cn/#part",
    "ftp://bikes.example.cn/",
    "file:///etc/passwd",
    "gopher://bikes.example.cn/",
    "bikes.example.cn/hooks",
    "https:///hooks",
    "https://bikes/",
    "https://bikes.internal/",
    "https://printer.local/",
    "https://app.localhost/",
    "https://localhost/",
    "https://router.home.arpa/",
    "https://127.0.0.1/",
    "https://127.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://0177.0.0.1/",
    "https://1.2.3.4.5/",
    "https://169.254.169.254/latest/meta-data/",
    "https://100.100.100.200/",
    "https://10.0.0.1/",
    "https://[::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:a9fe:a9fe]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[64:ff9b::a9fe:a9fe]/",
    "https://[fe80::1]/",
    "https://[fd00:ec2::254]/",
    "https://[::]/",
    "https://bikes.example.cn:99999/",
    "https://bikes.example.cn/\r\nx: y",
    "https://bikes.example.cn/ ",
    "https://bikes.example.cn\\@127.0.0.1/",
    "https://自行车.example.cn/",
    "https://bikes..example.cn/",
    "https://[::1",
    "https://" + "a" * 500 + ".cn/",
    "",
]
DENIED = [
    *("0.0.0.0", "0.1.2.3", "10.1.2.3", "100.64.0.1", "100.100.100.200", "127.0.0.1"),
    *("127.255.255.254", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.192"),
    *("192.0.2.1", "192.168.1.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1"),
    *("239.255.255.250", "240.0.0.1", "255.255.255.255"),
    *("::", "::1", "::ffff:10.0.0.1", "::ffff:127.0.0.1", "::7f00:1", "64:ff9b::10.0.0.1"),
    *("64:ff9b::169.254.169.254", "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1"),
    *("2002:7f00:1::", "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1", "5f00::1"),
    # Outside of 2000::/3, which is all that was ever given out: translated (RFC 2765) among others.
    *("::ffff:0:127.0.0.1", "::ffff:0:a9fe:a9fe", "1::1", "200::1", "4000::1", "8000::1"),
]


@pytest.mark.parametrize("url", FINE)
def test_a_public_https_url_is_fine(url: str) -> None:
    assert url_faults(url, PUBLIC) == []


@pytest.mark.parametrize("url", REFUSED)
def test_everything_else_is_refused_with_a_reason(url: str) -> None:
    assert url_faults(url, PUBLIC)
    with pytest.raises(Refusal, match="webhook_url_refused"):
        check_endpoint(url=url, topics=["order.created"], policy=PUBLIC)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8099/hooks", "http://[::1]:8099/", "http://localhost:8099/"]
)
def test_the_machine_itself_is_allowed_by_a_setting_only(url: str) -> None:
    assert url_faults(url, PUBLIC)
    assert url_faults(url, LOOPBACK) == []


@pytest.mark.parametrize("url", ["http://10.0.0.1/", "https://169.254.169.254/", "http://a.cn/"])
def test_that_setting_allows_nothing_else(url: str) -> None:
    assert url_faults(url, LOOPBACK)


@pytest.mark.parametrize("text", DENIED)
def test_no_address_inside_is_allowed(text: str) -> None:
    assert not is_allowed(ip_address(text), PUBLIC)


@pytest.mark.parametrize(
    "text", ["1.1.1.1", "114.114.114.114", "2606:4700:4700::1111", "64:ff9b::101:101", "240e::1"]
)
def test_public_addresses_are_allowed(text: str) -> None:
    assert is_allowed(ip_address(text), PUBLIC)


@given(st.ip_addresses(v=4))
def test_an_address_in_ipv6_clothes_is_as_good_as_itself(address: object) -> None:
    for form in (f"::ffff:{address}", f"64:ff9b::{address}"):
        assert is_allowed(ip_address(form), PUBLIC) == is_allowed(ip_address(str(address)), PUBLIC)


@given(st.ip_addresses())
def test_what_is_not_global_is_never_allowed(address: object) -> None:
    ip = ip_address(str(address))
    if not ip.is_global and not (ip.version == 6 and int(ip) >> 32 == 0x64FF9B << 64):
        assert not is_allowed(ip, PUBLIC)


@pytest.mark.parametrize("topics", [[], ["order.created", "order.created"], ["endpoint.probe"]])
def test_topics_are_known_and_given_once(topics: list[str]) -> None:
    with pytest.raises(Refusal, match="webhook_topics_invalid"):
        check_endpoint(url=FINE[0], topics=topics, policy=PUBLIC)
