"""Measuring: labels, graphs, scores, comparisons, benchmarks."""

from __future__ import annotations

import typer

from llmrg.commands.arguments import AsJson, Configuration, Overrides

__all__ = ["benchmark"]


def benchmark(config: Configuration, overrides: Overrides = None, as_json: AsJson = False) -> None:
    """Compare systems with the baselines on a data set: results.json, a table, an HTML page."""
    from llmrg.benchmark.run import run_benchmark
    from llmrg.benchmark.settings import BenchmarkConfig
    from llmrg.config import load_config

    settings = load_config(BenchmarkConfig, config, overrides or ())
    results = run_benchmark(settings)
    if as_json:
        typer.echo((settings.out / "results.json").read_text(encoding="utf-8"))
        return
    from rich.console import Console

    from llmrg.benchmark.table import console_table

    Console().print(console_table(results))
    typer.echo(f"Page: {settings.out / 'index.html'}")
