"""Tables on the terminal for ``llmrg data check``, ``prepare`` and ``split``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from llmrg.studies.check import PROBLEMS, DataCheck
from llmrg.studies.prepare import Prepared
from llmrg.studies.split_command import SplitResult

__all__ = ["check_tables", "film_progress", "prepared_text", "split_table"]

_EXAMPLES = 5


@contextmanager
def film_progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar of films on stderr, where that is a terminal; give what tells it (films done, films in all)."""
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def check_tables(check: DataCheck) -> RenderableType:
    """Return everything a check found, for reading."""
    found = check.details
    parts: list[RenderableType] = [_splits(found), _lengths(found), _labels(found), *_notes(found)]
    if check.sound:
        parts.append("[green]Sound: no problem was found.[/green]")
    for name, count in check.problems.items():
        parts.append(f"[red]{count} {PROBLEMS[name]}[/red]")
        parts += [f"    {line}" for line in _examples(name, found)]
    return Group(*parts)


def prepared_text(result: Prepared) -> str:
    """Return what preparing did, and how it is used."""
    lines = [
        f"{result.directory}: {result.films - len(result.bad):,} films of {result.size} x {result.size} pixels "
        f"({result.decoded:,} decoded now, {result.kept:,} from before), {result.bytes / 1e6:,.1f} MB"
    ]
    if result.bad:
        lines.append(f"{len(result.bad):,} films cannot be used:")
        lines += [f"    {film} {reason}" for film, reason in list(result.bad.items())[:20]]
        lines += [f"    and {len(result.bad) - 20} more"] if len(result.bad) > 20 else []
    lines.append(f"Use them with data.prepared={result.directory} data.image_size={result.size} data.fit={result.fit}")
    return "\n".join(lines)


def split_table(result: SplitResult) -> Table:
    """Return the sizes of splits and the share of each finding in them."""
    table = Table("", *result.studies, title=f"{result.path} (findings read by {result.labeler})", title_justify="left")
    table.add_row("studies", *(f"{count:,}" for count in result.studies.values()))
    table.add_row("patients", *(f"{result.patients[split]:,}" for split in result.studies), end_section=True)
    for label, shares in result.shares.items():
        table.add_row(label, *(f"{100 * shares[split]:.1f} %" for split in result.studies))
    _right(table)
    return table


def _splits(found: dict[str, Any]) -> Table:
    table = Table("", *found["splits"], title="Studies", title_justify="left")
    table.add_row("studies", *_row(found["splits"].values()))
    table.add_row("patients", *_row(found["patients"][split] for split in found["splits"]))
    for view in ("frontal", "lateral", "unknown"):
        table.add_row(f"{view} films", *_row(found["views"][split][view] for split in found["splits"]))
    numbers = sorted({int(number) for own in found["films_per_study"].values() for number in own})
    for number in numbers:
        films = "1 film" if number == 1 else f"{number} films"
        table.add_row(
            f"studies with {films}",
            *_row(found["films_per_study"][split].get(str(number), 0) for split in found["splits"]),
        )
    reports = found["reports"]
    for language in ("zh", "en"):
        counts = [reports["languages"].get(split, {}).get(language, 0) for split in found["splits"]]
        if any(counts):
            table.add_row(f"reports in {language}", *_row(counts))
    within = reports["identical"]["within"]
    table.add_row(
        "reports seen before in the split",
        *(f"{within[split]['share']:.1%}" if split in within else "" for split in found["splits"]),
    )
    for other in found["splits"]:
        again = [reports["identical"]["across"].get(f"{split} in {other}") for split in found["splits"]]
        if any(share and share["count"] for share in again):
            cells = ["" if share is None else f"{share['count']:,} ({share['share']:.1%})" for share in again]
            table.add_row(f"reports that are in {other} too", *cells)
    _right(table)
    return table


def _lengths(found: dict[str, Any]) -> Table:
    names = ("min", "5%", "25%", "50%", "75%", "95%", "max")
    table = Table("", "", *names, title="Report lengths and film sizes", title_justify="left")
    for split, own in found["reports"]["lengths"].items():
        for unit, values in own.items():
            table.add_row(split if unit == "characters" else "", unit, *(f"{values[name]:,}" for name in names))
    film = found.get("film_check")
    for name, unit, scale in (("width", "pixels", 1), ("height", "pixels", 1), ("file_bytes", "KB", 1000)):
        if film is not None and film[name]:
            told = "film file" if name == "file_bytes" else f"film {name}"
            table.add_row(told, unit, *(f"{round(film[name][quantile] / scale):,}" for quantile in names))
    _right(table, first=2)
    return table


def _labels(found: dict[str, Any]) -> Table:
    labels = found["reports"]["labels"]
    title = f"Findings: positive / negative / uncertain ({labels['labeler']})"
    table = Table("", *labels["by_split"], title=title, title_justify="left")
    for name in next(iter(labels["by_split"].values()), {}):
        counts = (own[name] for own in labels["by_split"].values())
        table.add_row(name, *(f"{c['positive']:,} / {c['negative']:,} / {c['uncertain']:,}" for c in counts))
    _right(table)
    return table


def _notes(found: dict[str, Any]) -> list[str]:
    notes = [f"{count:,} studies left out: {reason}" for reason, count in found["set_aside"].items()]
    reports = found["reports"]
    if reports["empty"]:
        notes.append(f"{sum(reports['empty'].values()):,} studies without a report")
    if reports["other_script"]:
        notes.append(f"{reports['other_script']:,} reports have no letter of their language's script")
    film = found.get("film_check")
    if film and film["identical"]["within"]["count"]:
        notes.append(f"{film['identical']['within']['count']:,} films occur again within their split")
    if film is None:
        notes.append("The films were not opened.")
    return notes


def _examples(name: str, found: dict[str, Any]) -> list[str]:
    if name == "patients_across_splits":
        return [
            f"{pair}: {leak['count']:,}, such as {', '.join(leak['examples'][:3])}"
            for pair, leak in found["patients_across_splits"].items()
        ]
    if name == "films_across_splits":
        return [
            f"{pair}: {same['count']:,}, such as {' and '.join(same['examples'][0].values())}"
            for pair, same in found["film_check"]["identical"]["across"].items()
        ]
    films = found.get("film_check", {})
    source = {
        "bad_studies": found["bad_studies"],
        "broken_films": films.get("broken"),
        "blank_films": films.get("blank"),
        "prepared_films": found.get("prepared", {}).get("wrong"),
    }[name]
    if source is None:
        return []
    lines = [": ".join(str(value) for value in example.values()) for example in source["examples"][:_EXAMPLES]]
    return [*lines, f"and {source['count'] - _EXAMPLES} more"] if source["count"] > _EXAMPLES else lines


def _row(counts: Iterable[int]) -> Sequence[str]:
    return [f"{count:,}" for count in counts]


def _right(table: Table, *, first: int = 1) -> None:
    for column in table.columns[:first]:
        column.no_wrap = True
    for column in table.columns[first:]:
        column.justify = "right"
