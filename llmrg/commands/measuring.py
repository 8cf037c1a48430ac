"""Measuring: labels, graphs, scores, comparisons, benchmarks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from llmrg.commands.arguments import AsJson, Configuration, Overrides

__all__ = ["benchmark", "compare", "graph", "label", "score"]


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

    from llmrg.benchmark.table import console_lines, console_table

    Console().print(console_table(results))
    for line in console_lines(results):
        typer.echo(line)
    typer.echo(f"Page: {settings.out / 'index.html'}")


def label(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Reports: .csv, .tsv or .jsonl.", show_default=False)],
    language: Annotated[str, typer.Option(help="zh or en.")],
    out: Annotated[Path, typer.Option(help="Where the rows go with their labels, in the same format.")],
    column: Annotated[str, typer.Option(help="Column or field that holds the reports.")] = "report",
    vocabulary: Annotated[str, typer.Option(help="chexpert14, radiograph, ped_xray or cn48.")] = "chexpert14",
    side: Annotated[bool, typer.Option("--side", help="Add columns with left, right or bilateral.")] = False,
    severity: Annotated[bool, typer.Option("--severity", help="Add columns with mild, moderate or severe.")] = False,
    prefix: Annotated[str, typer.Option(help="Put in front of the names of all added columns.")] = "",
    as_json: AsJson = False,
) -> None:
    """Label the findings of a file's reports: 1 positive, 0 negative, -1 uncertain, empty not mentioned."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from llmrg.findings.label_file import LabelFile, label_file

    request = LabelFile(
        source=file,
        out=out,
        language=language,
        column=column,
        vocabulary=vocabulary,
        side=side,
        severity=severity,
        prefix=prefix,
    )
    shown = (SpinnerColumn(), TextColumn("{task.completed:,.0f} reports labelled"), TimeElapsedColumn())
    with Progress(*shown, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        summary = label_file(request, progress=lambda done: bar.update(task, completed=done))
    if as_json:
        import json

        typer.echo(json.dumps({**summary.to_mapping(), "out": str(out)}, ensure_ascii=False, indent=2))
        return
    from rich.table import Table

    table = Table(title=f"{summary.rows:,} reports ({summary.empty:,} empty), {summary.labeler}")
    for name in ("finding", "positive", "negative", "uncertain", "not mentioned"):
        table.add_column(name, justify="left" if name == "finding" else "right")
    for name, counts in summary.counts.items():
        table.add_row(name, *(f"{count:,}" for count in counts.values()))
    Console().print(table)
    typer.echo(f"Labels: {out}")


def graph(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Reports: .csv, .tsv or .jsonl.", show_default=False)],
    language: Annotated[str, typer.Option(help="zh or en.")],
    out: Annotated[Path, typer.Option(help="Where the graphs go, one JSON line a report.")],
    column: Annotated[str, typer.Option(help="Column or field that holds the reports.")] = "report",
    extractor: Annotated[
        Path | None,
        typer.Option(help="Folder that `llmrg pretrain graph-extractor` made; by default the rules read."),
    ] = None,
    with_text: Annotated[bool, typer.Option("--with-text", help="Write each report beside its graph.")] = False,
    statistics: Annotated[bool, typer.Option("--statistics", help="Show how many reports state each keyword.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write the report graphs of a file: entities, relations, pairs of anatomy and lesion keywords."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from llmrg.findings.graphs.graph_file import GraphFile, graph_file
    from llmrg.language.graph_choice import load_graph_extractor

    trained = load_graph_extractor(extractor, language=language)
    request = GraphFile(source=file, out=out, language=language, column=column, with_text=with_text)
    shown = (SpinnerColumn(), TextColumn("{task.completed:,.0f} reports read"), TimeElapsedColumn())
    with Progress(*shown, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        summary = graph_file(request, extractor=trained, progress=lambda done: bar.update(task, completed=done))
    if as_json:
        import json

        typer.echo(json.dumps({**summary.to_mapping(), "out": str(out)}, ensure_ascii=False, indent=2))
        return
    if statistics:
        from llmrg.findings.graphs.statistics_table import statistics_tables

        for table in statistics_tables(summary):
            Console().print(table)
    typer.echo(f"{summary.rows:,} reports ({summary.empty:,} empty), {summary.extractor}: {out}")


def score(
    predictions: Annotated[Path, typer.Option(help="Generated reports: JSON Lines (or .json, .csv) of id and report.")],
    references: Annotated[Path, typer.Option(help="References: the same, perhaps with patient_id.")],
    language: Annotated[str, typer.Option(help="zh or en.")],
    tokens: Annotated[
        str | None,
        typer.Option(
            help="raw, lower, ptb, char, jieba, jieba-radiology or ptb-jar; by default char (zh) or ptb (en)."
        ),
    ] = None,
    protocol: Annotated[
        str, typer.Option(help="What is done to references: full, clean-full, words60, words100, llmtok100:TOKENIZER.")
    ] = "full",
    cleaning: Annotated[
        str | None, typer.Option(help="Cleaning of the protocol: none, r2gen-iu, r2gen-mimic, r2gengpt-mimic, kpcl.")
    ] = None,
    threshold: Annotated[int | None, typer.Option(help="Least count of a word in training under words60.")] = None,
    training: Annotated[Path | None, typer.Option(help="Training reports, for the vocabulary of words60.")] = None,
    metrics: Annotated[
        str, typer.Option(help="Of wording, with commas: bleu, rouge_l, cider, chrf, meteor, bertscore.")
    ] = "bleu,rouge_l,cider,chrf",
    vocabulary: Annotated[
        str | None, typer.Option(help="Findings that are scored: chexpert14, ped_xray, radiograph, cn48 or none.")
    ] = None,
    headline: Annotated[str | None, typer.Option(help="Clinical row that counts, as r2gen/14/macro.")] = None,
    graph: Annotated[bool, typer.Option("--graph", help="Score report graphs: entities, relations, pairs.")] = False,
    graph_extractor: Annotated[
        Path | None,
        typer.Option(
            help="Score graphs of this folder's extractor (`llmrg pretrain graph-extractor`), not of the rules."
        ),
    ] = None,
    priors: Annotated[bool, typer.Option("--priors", help="Count invented comparisons with earlier films.")] = False,
    prediction_field: Annotated[str | None, typer.Option(help="Name of the text in the predictions.")] = None,
    reference_field: Annotated[str | None, typer.Option(help="Name of the text in the references.")] = None,
    split: Annotated[str, typer.Option(help="Split of references that are an annotation.json.")] = "test",
    bertscore_model: Annotated[Path | None, typer.Option(help="Folder of the encoder for bertscore.")] = None,
    bertscore_layer: Annotated[int | None, typer.Option(help="Its layer; by default the last.")] = None,
    bertscore_idf: Annotated[
        bool, typer.Option("--bertscore-idf", help="Weigh its tokens by rarity in the references.")
    ] = False,
    chexbert: Annotated[Path | None, typer.Option(help="chexbert.pth, to label both sides in place of rules.")] = None,
    chexbert_tokenizer: Annotated[Path | None, typer.Option(help="Folder of bert-base-uncased's tokenizer.")] = None,
    resamples: Annotated[int, typer.Option(help="Bootstrap resamples of patients; 0 for none.")] = 1000,
    seed: Annotated[int, typer.Option(help="Seed of the resamples.")] = 0,
    per_report: Annotated[Path | None, typer.Option(help="Write each report's figures to this file.")] = None,
    as_json: AsJson = False,
) -> None:
    """Score generated reports against references: wording and findings, with intervals and signatures."""
    from llmrg.commands.score_models import load_bertscore, load_chexbert
    from llmrg.language.graph_choice import load_graph_extractor
    from llmrg.metrics.score_command import ScoreSettings, score_files, write_per_report

    names = [name.strip() for name in metrics.split(",") if name.strip()]
    wanted = "bertscore" in names
    more = load_bertscore(bertscore_model, layer=bertscore_layer, idf=bertscore_idf) if wanted else ()
    labeler = load_chexbert(chexbert, chexbert_tokenizer, language=language, vocabulary=vocabulary)
    extractor = load_graph_extractor(graph_extractor, language=language)
    result = score_files(
        ScoreSettings(
            predictions=predictions,
            references=references,
            language=language,
            tokens=tokens,
            protocol=protocol,
            cleaning=cleaning,
            threshold=threshold,
            training=training,
            metrics=[name for name in names if name != "bertscore"],
            vocabulary=vocabulary,
            headline=headline,
            graph=graph or extractor is not None,
            priors=priors,
            prediction_field=prediction_field,
            reference_field=reference_field,
            split=split,
            resamples=resamples,
            seed=seed,
        ),
        more_metrics=more,
        labeler=labeler,
        extractor=extractor,
    )
    if per_report is not None:
        write_per_report(per_report, result.scores)
    if as_json:
        import json

        typer.echo(json.dumps(result.to_mapping(), indent=2, allow_nan=False))
        return
    from rich.console import Console

    from llmrg.metrics.score_table import score_lines, score_table

    Console().print(score_table(result))
    for line in score_lines(result):
        typer.echo(line)


def compare(
    systems: Annotated[
        list[str], typer.Argument(metavar="NAME=FILE[,FILE]...", help="A system's predictions; one file for each seed.")
    ],
    references: Annotated[Path, typer.Option(help="References: id and report, perhaps patient_id.")],
    language: Annotated[str, typer.Option(help="zh or en.")],
    baseline: Annotated[str | None, typer.Option(help="Hold all others against this system, not every pair.")] = None,
    metrics: Annotated[
        str | None, typer.Option(help="Figures, with commas, as bleu_4, chrf, r2gen/14/macro/f1, invented_priors.")
    ] = None,
    tokens: Annotated[str | None, typer.Option(help="raw, lower, ptb, char, jieba, ...; see `llmrg score`.")] = None,
    protocol: Annotated[str, typer.Option(help="What is done to references; see `llmrg score`.")] = "full",
    vocabulary: Annotated[
        str | None, typer.Option(help="Findings that are scored: chexpert14, ped_xray, radiograph, cn48 or none.")
    ] = None,
    resamples: Annotated[int, typer.Option(help="Bootstrap resamples of patients.", min=1)] = 1000,
    trials: Annotated[int, typer.Option(help="Trials of the randomisation test.", min=1)] = 10_000,
    seed: Annotated[int, typer.Option(help="Seed of resamples and trials.", min=0)] = 0,
    as_json: AsJson = False,
) -> None:
    """Compare systems pair by pair: differences with intervals, paired tests, and what may be claimed."""
    from llmrg.metrics.compare_command import CompareSettings, compare_files, parse_systems
    from llmrg.metrics.score_command import ScoreSettings

    given = parse_systems(systems)
    compared = compare_files(
        CompareSettings(
            systems=given,
            scoring=ScoreSettings(
                predictions=next(iter(given.values()))[0],
                references=references,
                language=language,
                tokens=tokens,
                protocol=protocol,
                vocabulary=vocabulary,
                resamples=resamples,
                seed=seed,
            ),
            metrics=[name.strip() for name in metrics.split(",") if name.strip()] if metrics is not None else None,
            baseline=baseline,
            trials=trials,
        )
    )
    if as_json:
        import json

        typer.echo(json.dumps(compared.to_mapping(), indent=2, allow_nan=False))
        return
    from rich.console import Console

    from llmrg.metrics.comparison_table import comparison_tables

    Console().print(comparison_tables(compared))
