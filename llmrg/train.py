"""Training under a launcher, one process of it.

accelerate launch -m llmrg.train CONFIG [--resume [--allow-changes]] [--dry-run] [--plan [--json]] [key.sub=value ...]
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from llmrg.console import print_json, run_command, start_logging
from llmrg.errors import UserError

__all__ = ["main"]

OPTIONS = ("--resume", "--allow-changes", "--dry-run", "--plan", "--json", "--verbose", "--help")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run ``llmrg train`` in this process and end it."""
    sys.exit(run_command(lambda: _train(list(sys.argv[1:] if arguments is None else arguments))))


def _train(arguments: list[str]) -> None:
    options = {argument for argument in arguments if argument.startswith("--")}
    for option in options:
        if option not in OPTIONS:
            raise UserError(f"Unknown option {option!r}", allowed=OPTIONS, got=option)
    if "--help" in options:
        sys.stdout.write((__doc__ or "") + "\n")
        return
    values = [argument for argument in arguments if not argument.startswith("--")]
    if not values:
        raise UserError("No configuration is named", next_step="accelerate launch -m llmrg.train CONFIG")
    start_logging(verbose="--verbose" in options)

    if "--plan" in options:
        _plan(values[0], values[1:], as_json="--json" in options)
        return
    from llmrg.training.launching import enter_launch

    enter_launch()

    from llmrg.training.run import train

    train(
        values[0],
        values[1:],
        dry_run="--dry-run" in options,
        resume="--resume" in options,
        allow_changes="--allow-changes" in options,
        producer="accelerate launch -m llmrg.train",
    )


def _plan(config: str, overrides: list[str], *, as_json: bool) -> None:
    """Plan this launch; of several processes the first one speaks."""
    from llmrg.training.planning.command import plan_command
    from llmrg.training.planning.view import print_plan
    from llmrg.training.processes import is_main_process

    if not is_main_process():
        return
    plan = plan_command(config, overrides)
    if as_json:
        print_json(plan.to_json())
    else:
        print_plan(plan)


if __name__ == "__main__":
    main()
