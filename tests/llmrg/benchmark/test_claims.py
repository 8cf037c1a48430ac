from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from llmrg.benchmark.claims import claims, lede, tiles
from llmrg.benchmark.results import Results, Row

Make = Callable[..., Results]


def told(results: Results) -> str:
    return "\n".join(claim["text"] for claim in claims(results)).replace("\u00a0", " ")


def test_the_lede_counts_in_singular_and_plural(rich_results: Make) -> None:
    assert lede(rich_results()).startswith("240 Chinese studies of 221 patients, test split. 12\u202f840 training")
    one = replace(rich_results(systems=("a",)), n=1, patients=1, language="en")
    assert "1 English study of 1 patient," in lede(one)
    assert "1 system against" in lede(one)
    none = replace(one, rows=tuple(row for row in one.rows if row.kind != "system"))
    assert "No system yet" in lede(none)


def test_who_leads_is_said_with_what_the_tests_allow(rich_results: Make) -> None:
    results = rich_results(systems=("a", "b", "c"))  # finding F1 .82, .77, .72: apart by more than .03
    words = told(results)
    assert "Finding F1: a has 82.0 % (95 % interval 79.0–84.0); clearly ahead of every other system" in words
    assert "+37.0 against the strongest trivial baseline, nearest" in words
    # BLEU-4 is (.2 + .18 q) 1.02: a and b differ by .009, a and c by .018, neither of which is clear.
    assert "BLEU-4: a has 35.5 % (95 % interval 32.5–37.5); not told apart from b and c" in words
    verdicts = {tile["metric"]: tile["verdict"] for tile in tiles(results)}
    assert verdicts["BLEU-4"] == "level with b and c"
    assert verdicts["Finding F1"] == "ahead of every other system"


def test_a_baseline_above_the_best_system_is_said(rich_results: Make) -> None:
    results = rich_results(systems=("a",))
    worse = replace(results, tests=(), headline=("clinical_micro_f1",))
    rows = tuple(
        replace(row, metrics={**row.metrics, "clinical_micro_f1": 0.9}) if row.system == "nearest" else row
        for row in worse.rows
    )
    worse = replace(worse, rows=rows)
    assert tiles(worse)[0]["verdict"].replace("\u00a0", " ") == "the baseline nearest has 90.0 %"
    assert [claim["tone"] for claim in claims(worse) if "the baseline nearest has more: 90.0" in claim["text"]] == [
        "warn"
    ]


def test_a_difference_to_the_baseline_that_may_be_chance_is_no_success(rich_results: Make) -> None:
    results = replace(rich_results(systems=("a",)), headline=("clinical_micro_f1",))
    tests = tuple({**test, "better": None, "p_holm": 0.3} for test in results.tests)
    unclear = replace(results, tests=tests)  # type: ignore[arg-type]
    assert "which may be chance" in told(unclear)
    assert tiles(unclear)[0]["verdict"] == "not clearly above the baseline nearest"
    assert not any(claim["tone"] == "good" for claim in claims(unclear) if claim["text"].startswith("Finding F1"))


def test_the_gate_says_what_is_not_met(rich_results: Make) -> None:
    words = told(rich_results(systems=("a", "b", "c", "d")))  # .82 .77 .72 .67 against a limit of .7
    assert "a, b and c work by the least one can ask: BLEU-4 at least the constant report, Finding F1" in words
    assert "d does not work; not met: Finding F1 above the constant report." in words


def test_leaks_seeds_and_small_sets_are_warned_of(rich_results: Make) -> None:
    results = rich_results()
    words = told(results)
    assert "41 of 240 references (17 %) also stand word for word in training" in words
    assert "Splits share patients or studies" in words
    assert "trained once" not in words, "one system has several seeds"
    single = replace(results, rows=tuple(replace(row, seeds=None) for row in results.rows), n=20, leakage=None)
    assert "Every system was trained once" in told(single)
    assert "Only 20 studies" in told(single)
    assert "word for word" not in told(single)


def test_the_distance_from_copying_to_the_truth(rich_results: Make) -> None:
    # nearest .45, oracle 1, a .82: (.82 - .45) / (1 - .45) = .673
    assert "a closes 67 % of that distance" in told(rich_results(systems=("a", "b")))


def test_without_tests_close_rows_are_not_ranked(rich_results: Make) -> None:
    assert "no paired test was made" in told(replace(rich_results(), tests=()))


def test_baselines_alone_make_no_claim() -> None:
    row = Row(system="random", kind="baseline", metrics={"bleu_4": 0.1})
    bare = Results(dataset="d", split="test", n=500, patients=1, language="en", rows=(row,))
    assert claims(bare) == []
    assert tiles(bare) == []


def test_a_system_above_the_trivial_baseline_and_below_another_is_no_success(rich_results: Make) -> None:
    results = replace(rich_results(systems=("a",)), headline=("clinical_micro_f1",))
    copying = Row(system="nearest_encoder", kind="baseline", metrics={"clinical_micro_f1": 0.84})
    (first, *_) = claims(replace(results, rows=(*results.rows, copying)))
    assert first["tone"] == "warn"
    assert "the baseline nearest_encoder has more: 84.0" in first["text"]
    assert "+37.0 against the strongest trivial baseline, nearest" in first["text"]
