"""Goal: the partner guide leads from zero to a verified order.

Method: it is followed as it stands there. The stack runs as `scripts/serve` starts it; commands and
program are taken out of the guide, and a browser without scripts does what the reader does: opens
the link, signs in as the test subject the guide names, and agrees. That the program verifies is
seen by the probe, a wrongly signed message it has to refuse.
"""

import re
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest

from backend.cli.citizen_app import Browser
from backend.cli.demo import Codes
from tests.support.stack import FIRST_START_SECONDS, ROOT, Stack, free_port

GUIDE = (ROOT / "docs/partner-guide.md").read_text()


def block(name: str) -> str:
    """Return what stands in the guide between a mark and its end."""
    found = re.search(rf"<!-- {name} -->\n```\w+\n(.*?)```\n<!-- /{name} -->", GUIDE, re.S)
    assert found is not None, name
    return found.group(1)


@pytest.fixture
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A running stack of this test's own."""
    stack = Stack(tmp_path_factory.mktemp("guide") / "local")
    try:
        stack.wait_until_ready(FIRST_START_SECONDS)
        yield stack
    finally:
        stack.end()


def agree(stack: Stack, link: str) -> None:
    """Do what the guide tells its reader to do in a browser."""
    found = re.search(r"test subject (\S+) \(phone ([\d ]+);", GUIDE)
    assert found is not None
    phone = found[2].replace(" ", "")
    origin = f"http://127.0.0.1:{stack.port}"
    with httpx.Client(timeout=30, trust_env=False) as http:
        browser = Browser(origin, http)
        browser.open(link)
        browser.submit("/sign-in", {"phone": phone})
        code = Codes(stack.directory / "demo" / "codes.log").newest(phone)
        browser.submit("/sign-in/code", {"code": code})
        back = browser.submit("/consent", {}, button=("answer", "accept"))
        assert http.get(back.headers["location"]).status_code == 200


def test_the_guide_leads_to_a_verified_order(stack: Stack) -> None:
    """And what the program says is what the guide says that it says."""
    port = str(free_port())

    def here(line: str) -> str:
        """The reader's directory, address and port are others."""
        line = line.replace(".local/", f"{stack.directory}/").replace("8765", port)
        return line.replace("127.0.0.1:8000", f"127.0.0.1:{stack.port}")

    for command in block("commands").splitlines():
        done = subprocess.run(
            ["bash", "-c", here(command)],
            cwd=ROOT,
            env=stack.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"
    (stack.directory / "mine" / "partner.py").write_text(block("example"))
    said = []
    with subprocess.Popen(
        [sys.executable, *here(block("run")).split()[1:]],
        cwd=ROOT,
        env=stack.environment | {"NO_PROXY": "*", "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as partner:
        assert partner.stdout is not None
        assert partner.stderr is not None
        try:
            for line in partner.stdout:
                said.append(line)
                if line.startswith("Open "):
                    agree(stack, line.split()[1])
            assert partner.wait(60) == 0, partner.stderr.read()
        finally:
            partner.kill()
    expected = [re.escape(line).replace("…", r"\S+") for line in here(block("said")).splitlines()]
    assert len(said) == len(expected), said
    for line, pattern in zip(said, expected, strict=True):
        assert re.fullmatch(pattern, line.rstrip()), line


def test_every_page_the_guide_names_is_there() -> None:
    """Links lead somewhere."""
    links = re.findall(r"\]\(([^)#:]+)[)#]", GUIDE)
    assert len(links) > 8
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []
