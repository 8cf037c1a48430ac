"""What is installed and what the machine has."""

from __future__ import annotations

import typer

from llmrg.commands.arguments import AsJson
from llmrg.console import print_json

__all__ = ["doctor"]


def doctor(as_json: AsJson = False) -> None:
    """Show what is installed, the devices, optional parts, and what to do about what is missing."""
    from dataclasses import asdict

    from llmrg.doctor import examine, healthy, print_checks

    checks = examine()
    if as_json:
        print_json({"healthy": healthy(checks), "checks": [asdict(check) for check in checks]})
    else:
        print_checks(checks)
    if not healthy(checks):
        raise typer.Exit(2)
