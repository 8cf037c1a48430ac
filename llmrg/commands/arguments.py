"""Arguments that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["AsJson", "Configuration", "Overrides"]

Configuration = Annotated[Path, typer.Argument(metavar="CONFIG", help="YAML file.", show_default=False)]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="[KEY.SUB=VALUE]...", help="Values that replace those of the file.", show_default=False),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print figures as JSON.")]
