from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from llmrg.benchmark.published import published_names, read_published
from llmrg.benchmark.result_parts import PublishedRow, PublishedTable
from llmrg.errors import UserError

WORDING = ("bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l", "meteor", "cider")
CLINICAL = ("clinical_precision", "clinical_recall", "clinical_f1")
BENCH = (*WORDING[3:], *CLINICAL)


@cache
def shipped(dataset: str) -> tuple[PublishedTable, ...]:
    return read_published(dataset)


def find(dataset: str, system: str, table: str) -> PublishedRow:
    return next(
        row for one in shipped(dataset) for row in one["rows"] if row["system"] == system and table in row["table"]
    )


def test_datasets_have_a_file_each() -> None:
    assert published_names() == ("chexpert_plus", "cn_cxr", "iu_xray", "mimic_cxr", "ped_xray")


# Typed anew from the papers' tables, not from our files.
@pytest.mark.parametrize(
    ("dataset", "table", "system", "columns", "figures"),
    [
        ("chexpert_plus", "Table 1: algo", "R2Gen", BENCH, ".081 .246 .113 .077 .318 .200 .181"),
        ("chexpert_plus", "Table 1: algo", "R2GenGPT", BENCH, ".101 .266 .145 .123 .315 .244 .260"),
        ("chexpert_plus", "Table 1: algo", "PromptMRG", BENCH, ".095 .222 .121 .044 .258 .265 .281"),
        ("chexpert_plus", "Table 1: algo", "WCL", ("bleu_4", "cider", *CLINICAL), ".084 .103 .335 .259 .256"),
        (
            "chexpert_plus", "Table 1: algo", "MambaXray-VL-L", BENCH,
            ".112 .276 .157 .139 .377 .319 .335",
        ),
        ("chexpert_plus", "Table 2", "Vicuna-v1.5 6.7B", (*WORDING[3:], "clinical_f1"), ".104 .272 .160 .202 .276"),
        ("chexpert_plus", "Table 2", "InternLM 7.3B", ("bleu_4", "clinical_f1"), ".063 .284"),
        ("chexpert_plus", "Table I", "AM-MRG", WORDING, ".381 .238 .159 .109 .282 .173 .221"),
        ("chexpert_plus", "clinical", "AM-MRG", CLINICAL, ".396 .318 .336"),
        ("chexpert_plus", "AAAI", "dual-stage: whole", ("bleu_4", "rouge_l", "cider", *CLINICAL),
         ".133 .291 .227 .394 .356 .361"),
        ("chexpert_plus", "Stanford", "chexpert-plus tutorial", ("rrg/14/micro", "rrg/5/macro"), ".5272 .4145"),
        ("iu_xray", "Tables of", "R2GenCMN", WORDING[:6], ".475 .309 .222 .170 .375 .191"),
        ("iu_xray", "Tables of", "AM-MRG", WORDING, ".489 .339 .253 .192 .384 .225 .613"),
        ("iu_xray", "Tables of", "KIA", WORDING, ".501 .325 .240 .183 .375 .207 .559"),
        ("mimic_cxr", "Tables of", "R2GenGPT (their re-run)", WORDING, ".408 .256 .174 .125 .285 .167 .244"),
        ("mimic_cxr", "Tables of", "AM-MRG", WORDING, ".426 .271 .187 .136 .291 .174 .261"),
        ("mimic_cxr", "clinical", "AM-MRG", CLINICAL, ".354 .386 .387"),
        ("mimic_cxr", "Other", "EKAGen", ("bleu_4", *CLINICAL), ".119 .517 .483 .499"),
    ],
)  # fmt: skip
def test_figures_are_those_of_the_papers(
    dataset: str, table: str, system: str, columns: tuple[str, ...], figures: str
) -> None:
    row = find(dataset, system, table)
    assert [row["metrics"][column] for column in columns] == [float(figure) for figure in figures.split()]


def test_numbers_of_rows() -> None:
    sizes = {table["name"]: len(table["rows"]) for table in shipped("chexpert_plus")}
    assert [sizes[name] for name in sizes if "CXPMRG-Bench, Table" in name] == [21, 16]
    assert len(shipped("iu_xray")[0]["rows"]) == 19
    assert len(shipped("mimic_cxr")[0]["rows"]) == 19


def test_every_row_has_a_source_and_every_table_a_protocol() -> None:
    for name in published_names():
        for table in shipped(name):
            assert len(table["protocol"]) > 10
            for row in table["rows"]:
                assert len(table["sources"][row["source"]]) > 10
                assert row["metrics"]


def test_inconsistencies_are_told_where_they_are() -> None:
    """Whatever the files say: an F1 above the mean of precision and recall, and figures of two systems alike."""
    for name in published_names():
        for table in shipped(name):
            seen: dict[tuple[float, ...], PublishedRow] = {}
            for row in table["rows"]:
                figures = row["metrics"]
                told = all(column in figures for column in CLINICAL)
                if told and figures["clinical_f1"] > (figures["clinical_precision"] + figures["clinical_recall"]) / 2:
                    assert any("impossible" in note for note in row["known"]), row["system"]
                wording = tuple(figures[column] for column in WORDING if column in figures)
                if len(wording) > 3 and wording in seen:
                    assert row["known"], row["system"]
                    assert seen[wording]["known"]
                seen[wording] = row
    swapped = find("iu_xray", "PromptMRG", "Tables of")
    assert swapped["metrics"]["rouge_l"] < swapped["metrics"]["meteor"]
    assert "swapped" in swapped["known"][0]
    assert "METEOR .157" in find("chexpert_plus", "R2GenGPT", "Table 1: algo")["known"][0]
    assert "No absolute figure" in shipped("ped_xray")[0]["known"][0]


def test_unknown_datasets_are_refused() -> None:
    with pytest.raises(UserError, match="iu_xra"):
        read_published("iu_xra")


GOOD = """
dataset: own
sources: {paper: a paper}
tables:
  - {name: T, protocol: theirs, columns: [bleu_4], rows: [{system: a, source: paper, values: [0.1]}]}
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("values: [0.1]", "values: [0.1, 0.2]", "2 values"),
        ("source: paper,", "source: elsewhere,", "not told"),
        ("values: [0.1]", "values: [10.1]", "part of one"),
        ("system: a", "sytem: a", "system"),
        ("rows: [", "rows: [{system: a, source: paper, values: [0.3]}, ", "twice"),
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(GOOD, encoding="utf-8")
    assert read_published(str(path))[0]["rows"][0]["metrics"] == {"bleu_4": 0.1}
    path.write_text(GOOD.replace(old, new), encoding="utf-8")
    with pytest.raises(UserError, match=message):
        read_published(str(path))
