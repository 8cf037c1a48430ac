"""What ``llmrg export`` and ``llmrg remove-patient`` do."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from llmrg.errors import UserError
from llmrg.systems.export import export_run
from llmrg.systems.removal import REMINDER, remove_patients
from llmrg.systems.run import read_run
from llmrg.systems.training_words import read_known_words

__all__ = ["export_command", "remove_patient_command"]


def export_command(
    run: Path,
    out: Path,
    *,
    merge: bool,
    without_data: bool,
    language_model: str | None,
    data: Any = None,
    as_json: bool = False,
) -> None:
    """Export a run and say what is in it; without data, search the export for the words of the data at hand.

    Args:
        run: the run.
        out: a directory that does not exist yet.
        merge: see :func:`llmrg.systems.export.export_run`.
        without_data: see there.
        language_model: another place of the base language model.
        data: configuration of the data whose words are searched; None takes the run's own.
        as_json: print what was done as JSON.

    Raises:
        UserError: see there; or ``data`` were named and cannot be read.
    """
    known = None
    if without_data:
        known = read_known_words(data if data is not None else read_run(run)[1].data)
        if known is None and data is not None:
            raise UserError(
                "The data to be searched for cannot be read", next_step="check them: llmrg data check CONFIG"
            )
    done = export_run(
        run,
        out,
        merge=merge,
        without_data=without_data,
        language_model=language_model,
        known_texts=known.sentences if known else (),
        known_identifiers=known.identifiers if known else (),
        producer=" ".join(["llmrg export", *["--merge"] * merge, *["--without-data"] * without_data]),
    )
    if as_json:
        found = {**asdict(done), "directory": str(done.directory), "searched_studies": known.studies if known else 0}
        sys.stdout.write(json.dumps(found, ensure_ascii=False, indent=2) + "\n")
        return
    say = [str(done.directory)]
    if without_data and known:
        say.append(
            f"Searched for {len(known.sentences)} sentences and {len(known.identifiers)} identifiers of "
            f"{known.studies} studies, each in several spellings: none is in the files."
        )
    elif without_data:
        say.append(
            "The training's data are not at hand: searched for the identifiers that the run knows alone. Name the data "
            "with --data to search for their reports as well."
        )
    say += [f"Left out: {line}." for line in done.left_out]
    say += [f"No longer works: {line}" for line in done.no_longer_works]
    say += [f"Note: {line}" for line in done.notes]
    sys.stdout.write("\n".join(say) + "\n")


def remove_patient_command(folder: Path, patients: Sequence[str], *, as_json: bool = False) -> None:
    """Remove patients from a run or its artefacts and say what that does not do."""
    done = remove_patients(folder, patients)
    if as_json:
        found = {**asdict(done), "reminder": REMINDER}
        sys.stdout.write(json.dumps(found, ensure_ascii=False, indent=2) + "\n")
        return
    say = []
    if done.patients:
        say.append(
            f"Removed {done.patients} {'patient' if done.patients == 1 else 'patients'}: {done.studies} studies of the "
            f"index, {done.patterns} remembered patterns."
        )
    if done.before:
        say.append(f"{done.before} of those named had been removed before; nothing was to be done for them.")
    say += [f"A stopped command left {path}, which may hold an older state: delete it." for path in done.leftovers]
    say.append(REMINDER)
    sys.stdout.write("\n".join(say) + "\n")
