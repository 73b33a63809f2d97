"""The committed facts: files made from the code, each by one function here.

`scripts/openapi` writes them; contract tests make them again and compare, so that a change of the
interface, the schema or the settings shows as a diff that somebody reads.
"""

from collections.abc import Callable
from pathlib import Path

from backend.cli.openapi import openapi_text, routes_text
from backend.kit.problem import PROBLEMS
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


FACTS: dict[str, Callable[[], str]] = {
    ".env.example": env_example,
    "docs/problems.md": problems_text,
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
