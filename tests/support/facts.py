"""The committed facts: files made from the code, each by one function here.

`scripts/openapi` writes them; contract tests make them again and compare, so that a change of the
interface, the schema or the settings shows as a diff that somebody reads.
"""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from backend.cli.openapi import openapi_text, routes_text
from backend.kit.problem import PROBLEMS
from backend.order.rules.machine import ORDER_STEPS, OWED_STEPS, Step, picture_of, table_of
from backend.settings import env_example
from tests.support.schema_dump import fresh_schema_text

ROOT = Path(__file__).parents[2]


def problems_text() -> str:
    """Write what each refusal code means, in English and Chinese."""
    lines = [
        "# Problem codes · 错误代码",
        "",
        "Made from `backend/kit/problem.py`. Every error outside `/oauth` is problem details",
        "(RFC 9457) with one of these codes; `type` is the address of the same text,",
        "`/problems/{code}`.",
        "",
        "| code | status | title | 说明 | what to do |",
        "|---|---|---|---|---|",
    ]
    for code, problem in sorted(PROBLEMS.items()):
        words = (problem.title, problem.title_zh, problem.detail)
        assert not any("|" in word for word in words)
        lines.append(f"| `{code}` | {problem.status} | {' | '.join(words)} |")
    return "\n".join(lines) + "\n"


def service_orders_text() -> str:
    """Write the parts of the guide that are made from the machine of orders and obligations."""
    parts = iter([_machine_text(ORDER_STEPS), _machine_text(OWED_STEPS)])
    text = (ROOT / "docs/service-orders.md").read_text()
    made = re.compile(r"(<!-- made: [a-z ]+ -->\n).*?(<!-- end -->\n)", re.DOTALL)
    assert len(made.findall(text)) == 2, "two parts are made, and nothing else is"
    return made.sub(lambda found: f"{found[1]}{next(parts)}{found[2]}", text)


def _machine_text(steps: Sequence[Step]) -> str:
    return "\n".join(["", "```text", *picture_of(steps), "```", "", *table_of(steps), "", ""])


FACTS: dict[str, Callable[[], str]] = {
    ".env.example": env_example,
    "docs/problems.md": problems_text,
    "docs/service-orders.md": service_orders_text,
    "migrations/schema.sql": fresh_schema_text,
    "openapi/creditplus.v1.json": openapi_text,
    "openapi/routes-by-guard.txt": routes_text,
}


def main() -> None:
    """Write every fact anew."""
    for name, make in FACTS.items():
        path = ROOT / name
        text = make()
        changed = not path.exists() or path.read_text() != text
        path.write_text(text)
        print(f"{'wrote' if changed else 'same '} {name}")


if __name__ == "__main__":
    main()
