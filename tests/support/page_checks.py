"""What a page must be like on a phone, measured in the browser that shows it.

Contrast follows WCAG 2.2 section 1.4.3: each text against the first opaque background behind it,
4.5 to 1. Targets follow section 2.5.8 with the larger 44 px of 2.5.5 for buttons and fields.
"""

from playwright.async_api import Page

_WIDER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"

_CONTRAST = """() => {
  const parse = text => {
    const parts = text.match(/[0-9.]+/g).map(Number);
    return {rgb: parts.slice(0, 3), alpha: parts.length > 3 ? parts[3] : 1};
  };
  const light = rgb => {
    const [r, g, b] = rgb.map(v => v / 255)
      .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = element => {
    for (let at = element; at; at = at.parentElement) {
      const found = parse(getComputedStyle(at).backgroundColor);
      if (found.alpha === 1) return found.rgb;
    }
    return [255, 255, 255];
  };
  const faults = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim();
    const element = walker.currentNode.parentElement;
    if (!text || !element.getClientRects().length) continue;
    const [a, b] = [light(parse(getComputedStyle(element).color).rgb), light(behind(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) faults.push(`${ratio.toFixed(2)}: ${text.slice(0, 40)}`);
  }
  return faults;
}"""

_UNNAMED = """() => [...document.querySelectorAll('input:not([type=hidden]), textarea, select')]
  .filter(input => !input.labels.length || !input.labels[0].textContent.trim())
  .map(input => input.name)"""

_SMALL = """() => [...document.querySelectorAll(
    'button, .button, input:not([type=hidden]), textarea, select, nav a')]
  .filter(each => each.getBoundingClientRect().height < 44)
  .map(each => each.textContent.trim() || each.name)"""

_OUTLINE = """() => {

  const levels = [...document.querySelectorAll('h1, h2, h3')].map(each => Number(each.tagName[1]));
  const faults = [];
  if (levels.filter(level => level === 1).length !== 1) faults.push('not one h1');
  if (document.querySelectorAll('main').length !== 1) faults.push('not one main');
  const ids = [...document.querySelectorAll('[id]')].map(each => each.id);
  if (new Set(ids).size !== ids.length) faults.push('an id is given twice');
  for (const name of ['aria-labelledby', 'aria-describedby']) {
    for (const each of document.querySelectorAll(`[${name}]`)) {
      for (const id of each.getAttribute(name).split(' ')) {
        if (!document.getElementById(id)) faults.push(`${name} names nothing: ${id}`);
      }
    }
  }
  if (document.documentElement.lang !== 'zh-CN') faults.push('no language');
  return faults;
}"""


async def page_faults(page: Page, title: str) -> list[str]:
    """Wait for the page with this title; return what is too wide, too faint, too small, unnamed."""
    await page.get_by_role("heading", name=title, level=1).wait_for()
    await page.wait_for_load_state()
    faults = []
    if (wider := await page.evaluate(_WIDER)) > 0:
        faults.append(f"{wider} px wider than the screen")
    faults += [f"contrast {found}" for found in await page.evaluate(_CONTRAST)]
    faults += [f"a field without a label: {found}" for found in await page.evaluate(_UNNAMED)]
    faults += [f"a target below 44 px: {found}" for found in await page.evaluate(_SMALL)]
    faults += await page.evaluate(_OUTLINE)
    return faults
