"""The door from the command line: `creditplus COMMAND`, also `python -m backend COMMAND`.

Each command lives in backend/cli, in a function of its own name ("env-example" is env_example).
A module is imported when one of its commands is called, so that no command waits for another.
"""

from importlib import import_module
from typing import Final

import click

COMMANDS: Final = {
    "budget": "budget",
    "calendar": "calendar",
    "case": "case",
    "catalogue": "catalogue",
    "client": "partner",
    "demo": "demo",
    "doctor": "doctor",
    "env-example": "stack",
    "key": "key",
    "local": "local",
    "migrate": "stack",
    "openapi": "openapi",
    "operator": "operator",
    "partner": "partner",
    "programme": "programme",
    "score": "score",
    "scorecard": "scorecard",
    "quality": "quality",
    "record": "record",
    "register": "register",
    "seed": "data",
    "serve": "process",
    "submission": "submission",
    "webhook": "webhook",
    "worker": "process",
}


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"backend.cli.{COMMANDS[cmd_name]}")
        command = getattr(module, cmd_name.replace("-", "_"))
        assert isinstance(command, click.Command)
        return command


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="creditplus", message="%(version)s")
def main() -> None:
    """Credit+ (信用+): a city's voluntary, explainable, incentive-only credit service."""


if __name__ == "__main__":
    main(prog_name="creditplus")
