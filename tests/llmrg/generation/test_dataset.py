"""Reports of a split: the same whatever the batch, continued where a command was stopped, complete or not at all."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from llmrg.errors import TooManyBadStudiesError, UserError
from llmrg.generation import dataset as dataset_module
from llmrg.generation.dataset import DatasetReports, generate_dataset
from llmrg.generation.maps import decode_maps
from llmrg.language.settings import DecodingConfig
from llmrg.studies.reading import read_studies


@pytest.fixture
def data(tiny_run: Any, tiny_loaded: Any, tmp_path: Path) -> Any:
    """A copy of the phantoms, which a test may harm."""
    root = shutil.copytree(tiny_run.data, tmp_path / "data")
    return replace(tiny_loaded.config.data, root=root)


def generate(loaded: Any, data: Any, out: Path, **options: Any) -> DatasetReports:
    options = {"decoding": DecodingConfig(max_new_tokens=8), "batch_size": 5, **options}
    return generate_dataset(loaded, data, "test", out, **options)


def lines(path: Path) -> list[dict[str, Any]]:
    text = path.read_text(encoding="utf-8")
    assert text.endswith("\n")
    return [json.loads(line) for line in text.split("\n")[:-1]]


def bare(records: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(record["id"], record["report"]) for record in records]


def test_reports_stand_in_the_order_of_the_dataset(tiny_loaded: Any, data: Any, tmp_path: Path) -> None:
    done = generate(tiny_loaded, data, tmp_path / "out" / "p.jsonl")
    records = lines(done.path)
    studies = list(read_studies(data).split("test"))
    assert [record["id"] for record in records] == [study.id for study in studies]
    assert [record["patient_id"] for record in records] == [study.patient_id for study in studies]
    assert (done.written, done.continued, done.bad) == (12, 0, ())
    for record in records:
        assert set(record) == {
            "id",
            "patient_id",
            "language",
            "report",
            "findings",
            "confidence",
            "finished",
            "evidence",
        }
        assert record["language"] == "zh"
        assert 0 < record["confidence"] <= 1
        kinds = [evidence["kind"] for evidence in record["evidence"]]
        assert kinds == list(tiny_loaded.config.system.evidence.sources)
    assert sorted(path.name for path in done.path.parent.iterdir()) == ["p.jsonl", "p.jsonl.info.json"]


@pytest.mark.parametrize(
    "decoding",
    [
        DecodingConfig(max_new_tokens=8),
        DecodingConfig(strategy="sampling", temperature=1.5, max_new_tokens=8, seed=5),
        DecodingConfig(strategy="beam", beams=2, max_new_tokens=6),
    ],
    ids=["greedy", "sampling", "beam"],
)
def test_batch_size_and_order_change_nothing(
    tiny_loaded: Any, data: Any, tmp_path: Path, decoding: DecodingConfig
) -> None:
    written = [
        bare(lines(generate(tiny_loaded, data, tmp_path / f"{size}.jsonl", decoding=decoding, batch_size=size).path))
        for size in (1, 5, 12)
    ]
    assert written[0] == written[1] == written[2]
    limited = generate(tiny_loaded, data, tmp_path / "few.jsonl", decoding=decoding, limit=3)
    assert bare(lines(limited.path)) == written[0][:3]
    if decoding.strategy == "sampling":
        assert len({text for _, text in written[0]}) > 6  # each study draws for itself
        other = replace(decoding, seed=6)
        assert bare(lines(generate(tiny_loaded, data, tmp_path / "o.jsonl", decoding=other).path)) != written[0]


def test_a_killed_command_is_continued(
    tiny_loaded: Any, data: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = lines(generate(tiny_loaded, data, tmp_path / "whole.jsonl").path)
    out = tmp_path / "p.jsonl"
    partial = tmp_path / "p.jsonl.partial"
    real = dataset_module.write_reports
    asked: list[int] = []

    def killed_after_two_batches(system: Any, studies: Any, *args: Any, **options: Any) -> Iterator[Any]:
        asked.append(len(studies))
        for number, batch in enumerate(real(system, studies, *args, **options)):
            if number == 2:
                raise KeyboardInterrupt
            yield batch

    monkeypatch.setattr(dataset_module, "write_reports", killed_after_two_batches)
    with pytest.raises(KeyboardInterrupt):
        generate(tiny_loaded, data, out, batch_size=2)
    assert not out.exists()
    content = partial.read_bytes()
    # Killed while the last line was being written, in the middle of a character.
    cut = content[: content.rstrip(b"\n").rfind("。".encode()[:1]) + 1] if "。".encode() in content else content[:-30]
    partial.write_bytes(cut)
    monkeypatch.setattr(dataset_module, "write_reports", real)
    calls: list[tuple[int, int]] = []
    done = generate(tiny_loaded, data, out, batch_size=2, progress=lambda count, total: calls.append((count, total)))
    assert done.continued == 3
    assert calls[0] == (3, 12)
    assert calls[-1] == (12, 12)
    assert bare(lines(out)) == bare(whole)
    assert not partial.exists()


def test_line_separators_in_reports_survive_a_continuation(
    tiny_loaded: Any, data: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some tokenizers write U+2028 and its kin, which JSON leaves as they are and splitlines would break at."""
    out = tmp_path / "p.jsonl"
    strange = "甲\u2028乙\u2029丙\x85丁\x0b戊\x1c己"
    real = dataset_module.prediction_record

    def with_separators(*args: Any, **options: Any) -> dict[str, Any]:
        return {**real(*args, **options), "report": strange}

    monkeypatch.setattr(dataset_module, "prediction_record", with_separators)
    real_write = dataset_module.write_text

    def stop_before_the_end(path: Path, text: str) -> None:
        if path == out:
            raise KeyboardInterrupt
        real_write(path, text)

    monkeypatch.setattr(dataset_module, "write_text", stop_before_the_end)
    with pytest.raises(KeyboardInterrupt):
        generate(tiny_loaded, data, out)
    monkeypatch.setattr(dataset_module, "write_text", real_write)
    done = generate(tiny_loaded, data, out)
    assert done.continued == 12
    assert {record["report"] for record in lines(out)} == {strange}
    again = generate(tiny_loaded, data, out)
    assert (again.written, again.continued) == (12, 12)


def test_a_damaged_line_is_written_again(tiny_loaded: Any, data: Any, tmp_path: Path) -> None:
    out, partial = tmp_path / "p.jsonl", tmp_path / "p.jsonl.partial"
    generate(tiny_loaded, data, out)
    settings = json.loads((tmp_path / "p.jsonl.info.json").read_text())["settings"]
    header, texts = json.dumps(settings, sort_keys=True), out.read_text(encoding="utf-8").split("\n")[:-1]
    expected = lines(out)
    out.unlink()
    partial.write_text("\n".join([header, *texts[:3], "{broken", '["no object"]', *texts[5:7]]) + "\n")
    done = generate(tiny_loaded, data, out)
    assert done.continued == 5
    assert lines(out) == expected


@pytest.mark.parametrize("change", ["decoding", "instruction", "film", "context", "fit", "evidence", "file", "info"])
def test_a_finished_file_is_used_only_for_the_same_question(
    tiny_loaded: Any, data: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    out = tmp_path / "p.jsonl"
    generate(tiny_loaded, data, out)
    before = out.stat().st_mtime_ns
    assert generate(tiny_loaded, data, out).continued == 12
    assert out.stat().st_mtime_ns == before
    options: dict[str, Any] = {}
    if change == "decoding":
        options["decoding"] = DecodingConfig(max_new_tokens=7)
    elif change == "instruction":
        options["instruction"] = "请写。"
    elif change == "evidence":
        options["evidence"] = tmp_path / "evidence"
    elif change == "fit":
        data = replace(data, fit="crop")
    elif change == "film":
        study = next(iter(read_studies(data).split("test")))
        Image.new("L", (48, 48), 100).save(study.images[0].path)
    elif change == "context":
        monkeypatch.setattr(dataset_module, "render_context", lambda context, language: "女")
    elif change == "file":
        out.write_text(out.read_text(encoding="utf-8").replace("test", "xest"), encoding="utf-8")
    else:
        (tmp_path / "p.jsonl.info.json").write_text("[1", encoding="utf-8")
    done = generate(tiny_loaded, data, out, **options)
    assert (done.written, done.continued) == (12, 0)


def harm(data: Any, count: int) -> list[str]:
    studies = list(read_studies(data).split("test"))[:count]
    for study in studies:
        study.images[-1].path.write_bytes(b"\xff\xd8\xff no film at all")
    return [study.id for study in studies]


def test_a_bad_film_is_set_aside_and_counted(tiny_loaded: Any, data: Any, tmp_path: Path) -> None:
    bad = harm(data, 1)
    done = generate(tiny_loaded, data, tmp_path / "p.jsonl")
    assert [study for study, _ in done.bad] == bad
    assert "cannot be decoded" in done.bad[0][1] or "truncated" in done.bad[0][1]
    assert done.written == 11
    assert bad[0] not in {record["id"] for record in lines(done.path)}
    again = generate(tiny_loaded, data, tmp_path / "p.jsonl")
    assert again.bad == done.bad


def test_too_many_bad_films_fail_the_command(tiny_loaded: Any, data: Any, tmp_path: Path) -> None:
    bad = harm(data, 3)
    with pytest.raises(TooManyBadStudiesError, match=bad[0]):
        generate(tiny_loaded, data, tmp_path / "p.jsonl")
    assert not (tmp_path / "p.jsonl").exists()
    assert generate(tiny_loaded, replace(data, max_bad_fraction=0.5), tmp_path / "p.jsonl").written == 9


def test_pictures_lie_below_the_predictions(tiny_loaded: Any, data: Any, tmp_path: Path) -> None:
    out = tmp_path / "p" / "p.jsonl"
    generate(tiny_loaded, data, out, evidence=out.parent / "evidence")
    pictures = []
    for record in lines(out):
        assert "/" in record["id"]
        queries = next(evidence for evidence in record["evidence"] if evidence["kind"] == "disease_queries")
        for item in queries["items"]:
            assert (item["picture"] is not None) == (item["probability"] >= 0.5)
            if item["picture"] is not None:
                pictures.append(item["picture"])
                path = out.parent / item["picture"]
                assert path.resolve().is_relative_to((out.parent / "evidence").resolve())
                assert not Path(item["picture"]).is_absolute()
                with Image.open(path) as picture:
                    assert picture.size == (448, 224)  # two views, side by side
    assert len(set(pictures)) == len(pictures)
    found = sorted(p.relative_to(out.parent).as_posix() for p in (out.parent / "evidence").rglob("*.png"))
    assert sorted(pictures) == found


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_size": 64}, "image_size=48"),
        ({"vocabulary": "chexpert14"}, "vocabulary=ped_xray"),
        ({"language": "en"}, "zh"),
    ],
)
def test_data_that_do_not_fit_the_run_are_refused(
    tiny_loaded: Any, data: Any, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        generate(tiny_loaded, replace(data, **change), tmp_path / "p.jsonl")
    assert list(tmp_path.iterdir()) == [data.root]


def test_an_unknown_split_names_those_there_are(tiny_loaded: Any, data: Any, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"train, val, test.*Did you mean 'test'"):
        generate_dataset(tiny_loaded, data, "tset", tmp_path / "p.jsonl")


def test_a_run_directory_and_its_own_data_will_do(tiny_run: Any, tmp_path: Path) -> None:
    done = generate_dataset(tiny_run.run, None, "val", tmp_path / "p.jsonl", limit=2)
    assert done.written == 2


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written(tiny_loaded: Any, data: Any, tmp_path: Path) -> None:
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o500)
    with pytest.raises(UserError, match="Cannot write"):
        generate(tiny_loaded, data, folder / "p.jsonl")


def test_maps_lie_in_the_records_where_they_are_asked_for(tiny_loaded: Any, data: Any, tmp_path: Path) -> None:
    plain = lines(generate(tiny_loaded, data, tmp_path / "plain.jsonl").path)
    out = tmp_path / "maps.jsonl"
    records = lines(generate(tiny_loaded, data, out, maps=True).path)
    assert bare(records) == bare(plain)
    for record, other in zip(records, plain, strict=True):
        (queries,) = (part for part in record["evidence"] if part["kind"] == "disease_queries")
        maps = decode_maps(queries["maps"])
        assert maps is not None
        assert maps.shape[:2] == (len(queries["items"]), 2)
        np.testing.assert_allclose(maps.sum(axis=(1, 2, 3)), 1, atol=2e-3)
        assert not any("maps" in part for part in other["evidence"])
    assert generate(tiny_loaded, data, out, maps=True).continued == 12
    assert generate(tiny_loaded, data, out).continued == 0  # other settings: written again


def test_settings_from_before_maps_and_removals_still_count(tiny_loaded: Any, data: Any, tmp_path: Path) -> None:
    done = generate(tiny_loaded, data, tmp_path / "p.jsonl")
    settings = json.loads((tmp_path / "p.jsonl.info.json").read_text())["settings"]
    assert not settings.keys() & {"maps", "without"}
    assert done.continued == 0


def test_a_removed_source_is_not_heard_and_leaves_no_record(tiny_loaded: Any, data: Any, tmp_path: Path) -> None:
    whole = lines(generate(tiny_loaded, data, tmp_path / "whole.jsonl").path)
    out = tmp_path / "without.jsonl"
    removed = ("retrieved_context", "patches", "disease_queries")
    records = lines(generate(tiny_loaded, data, out, without=removed, maps=True).path)
    # The tiny model writes much the same, but not with the same certainty.
    assert [record["confidence"] for record in records] != [record["confidence"] for record in whole]
    for record in records:
        assert record["without"] == ["patches", "disease_queries", "retrieved_context"]  # in the system's order
        assert [part["kind"] for part in record["evidence"]] == ["visual_memory", "report_memory", "diagnosis_hints"]
    assert generate(tiny_loaded, data, out, without=removed[::-1], maps=True).continued == 12
    assert generate(tiny_loaded, data, out, without=("patches",)).continued == 0


def test_an_unknown_source_is_told_before_anything_is_written(tiny_loaded: Any, data: Any, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="retrieved_context"):
        generate(tiny_loaded, data, tmp_path / "p.jsonl", without=("retrieval",))
    assert [path for path in tmp_path.iterdir() if path.is_file()] == []
