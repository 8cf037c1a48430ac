"""What ``llmrg generate`` does."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from llmrg.artefacts import write_text
from llmrg.config import load_config, load_mapping
from llmrg.errors import UserError
from llmrg.generation.dataset import generate_dataset
from llmrg.generation.study import generate_from_files
from llmrg.language.settings import DecodingConfig, decoding_preset
from llmrg.studies.mixture import Data, MixtureConfig
from llmrg.studies.settings import DataConfig
from llmrg.studies.study import Context
from llmrg.systems.run import open_run

__all__ = ["generate_command", "load_data_config"]


def load_data_config(path: Path, overrides: Sequence[str] = ()) -> Data:
    """Read the configuration of a dataset or mixture, from a file of its own or the ``data`` of a training's."""
    values = load_mapping(path)
    if "data" in values:
        values = values["data"]
        texts = [f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in values.items()]
        return load_config(_schema(values), None, [*texts, *overrides])
    return load_config(_schema(values), path, overrides)


def _schema(values: Mapping[str, Any]) -> type[DataConfig] | type[MixtureConfig]:
    return MixtureConfig if "members" in values else DataConfig


def generate_command(
    run: Path,
    images: Sequence[Path] = (),
    *,
    data: Path | None = None,
    overrides: Sequence[str] = (),
    split: str = "test",
    out: Path | None = None,
    evidence: Path | None = None,
    preset: str | None = None,
    max_new_tokens: int | None = None,
    seed: int | None = None,
    batch_size: int = 32,
    limit: int | None = None,
    prompt: str | None = None,
    language: str | None = None,
    views: Sequence[str] | None = None,
    age: float | None = None,
    sex: str | None = None,
    indication: str | None = None,
    language_model: str | None = None,
    maps: bool = False,
    without: Sequence[str] = (),
    as_json: bool = False,
) -> None:
    """Write the report of one study from its films, or the reports of a split.

    Args:
        run: the run directory.
        images: films of one study; or none, and ``data`` or the run's own dataset is used.
        data: dataset configuration.
        overrides: ``key=value`` for the dataset.
        split: of the dataset.
        out: JSON Lines file; required for a dataset.
        evidence: folder for pictures; for a dataset, by default, ``evidence`` beside ``out``.
        preset: decoding preset; by default the run's own decoding.
        max_new_tokens: longest report in tokens.
        seed: of sampling.
        batch_size: studies at once.
        limit: only the first so many studies of the split.
        prompt: replaces the prompt's instruction.
        language: of the report; needed where the run writes several. Checked against a dataset's.
        views: view of each film.
        age: years.
        sex: as a word.
        indication: why the examination was asked for.
        language_model: another place of the base language model.
        maps: write where every disease query looked into the records.
        without: evidence sources that the decoder does not hear.
        as_json: print the record of a single study.

    Raises:
        UserError: arguments that contradict each other, or what the rooms below refuse.
    """
    if images and data is not None:
        raise UserError("Films and a dataset are named together", next_step="give IMAGE... or --data, not both")
    if not images and out is None:
        raise UserError("No film is named", next_step="llmrg generate RUN IMAGE..., or --data CONFIG --out FILE.jsonl")
    loaded = open_run(run, language_model=language_model)
    decoding = _decoding(loaded.config.decoding, preset, max_new_tokens, seed)
    if images:
        _one(
            loaded,
            images,
            views=views,
            context=Context(age=age, sex=sex, indication=indication),
            language=language,
            decoding=decoding,
            instruction=prompt,
            evidence=evidence,
            out=out,
            maps=maps,
            without=without,
            as_json=as_json,
        )
        return
    if out is None:
        raise UserError("A dataset's reports need a file", next_step="add --out FILE.jsonl")
    settings = load_data_config(data, overrides) if data is not None else loaded.config.data
    if language is not None and settings.languages != (language,):
        raise UserError(f"The dataset is {' and '.join(map(repr, settings.languages))}, not {language!r}")
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task(f"reports of {split}", total=None)
        done = generate_dataset(
            loaded,
            settings,
            split,
            out,
            evidence=evidence if evidence is not None else out.parent / "evidence",
            decoding=decoding,
            batch_size=batch_size,
            instruction=prompt,
            limit=limit,
            progress=lambda count, total: progress.update(task, completed=count, total=total),
            maps=maps,
            without=without,
        )
    Console(stderr=True).print(
        f"{done.written} reports in {done.path} ({done.continued} from before), {len(done.bad)} studies set aside",
        highlight=False,
    )


def _decoding(own: DecodingConfig, preset: str | None, max_new_tokens: int | None, seed: int | None) -> DecodingConfig:
    chosen = own
    if preset is not None:
        chosen = decoding_preset(preset)
        if chosen.min_new_tokens == 0:  # otherwise lengths are part of the preset
            chosen = replace(chosen, max_new_tokens=own.max_new_tokens)
    if max_new_tokens is not None:
        chosen = replace(
            chosen, max_new_tokens=max_new_tokens, min_new_tokens=min(chosen.min_new_tokens, max_new_tokens)
        )
    return chosen if seed is None else replace(chosen, seed=seed)


def _one(loaded: Any, images: Sequence[Path], *, out: Path | None, as_json: bool, **options: Any) -> None:
    console = Console()
    record = generate_from_files(loaded, images, relative_to=None if out is None else out.parent, **options)
    line = json.dumps(record, ensure_ascii=False)
    if out is not None:
        write_text(out, line + "\n")
    if as_json:
        console.file.write(json.dumps(record, ensure_ascii=False, indent=2) + "\n")
        return
    console.print(record["report"], markup=False, highlight=False, soft_wrap=True)
    stated = [
        f"{name} ({mention['side']})" if mention["side"] else name
        for name, mention in record["findings"].items()
        if mention["polarity"] != "negative"
    ]
    console.print(
        f"\nfindings: {', '.join(stated) or 'none'}; mean token probability {record['confidence']:.2f}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    if options.get("evidence") is not None:
        pictures = sum("picture" in item and item["picture"] is not None for item in _query_items(record))
        told = f"{pictures} in {options['evidence']}" if pictures else "none, no query found its finding likely"
        console.print(f"evidence pictures: {told}", markup=False, highlight=False, soft_wrap=True)


def _query_items(record: dict[str, Any]) -> list[dict[str, Any]]:
    return [item for part in record["evidence"] if part["kind"] == "disease_queries" for item in part["items"]]
