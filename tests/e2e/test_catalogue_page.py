"""Goal: whoever thinks of joining reads on a phone what may be collected, and can read it all.

Method: Debian's Chromium at 360 px without JavaScript against the live application; the page is
measured for width, contrast, targets and names, in light and dark.
"""

from pathlib import Path

import pytest

from backend.kit.clock import FixedClock
from tests.support.chromium import CHROMIUM, chromium, free_socket, serve
from tests.support.page_checks import page_faults
from tests.support.web_world import web_world

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"{CHROMIUM} is not installed"),
]


async def test_the_catalogue_is_read_on_a_phone_by_somebody_who_has_no_account(
    tmp_path: Path, database_url: str, valkey_url: str, clock: FixedClock
) -> None:
    listening = free_socket()
    origin = f"http://127.0.0.1:{listening.getsockname()[1]}"
    async with (
        web_world(
            tmp_path,
            database_url=database_url,
            valkey_url=valkey_url,
            clock=clock,
            origin=origin,
        ) as world,
        serve(world.app, listening),
        chromium() as browser,
    ):
        for scheme in ("light", "dark"):
            phone = await browser.new_context(
                base_url=origin,
                viewport={"width": 360, "height": 740},
                java_script_enabled=False,
                color_scheme="dark" if scheme == "dark" else "light",
            )
            page = await phone.new_page()
            await page.goto("/catalogue")
            assert await page_faults(page, "可以归集哪些信息") == []
            await page.get_by_role("link", name="遵纪守法").click()
            await page.get_by_role("heading", name="失信被执行人信息").scroll_into_view_if_needed()
            await phone.close()
