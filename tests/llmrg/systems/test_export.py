"""An export loads and writes; with --merge the same reports, without data no word and no name of a patient."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open

from llmrg.artefacts import is_complete, read_manifest
from llmrg.errors import UserError
from llmrg.language.prompt import default_prompt
from llmrg.studies.dataset import collate_studies, read_films
from llmrg.studies.reading import read_studies
from llmrg.systems import export as export_module
from llmrg.systems.build import ArtefactPaths, build_system
from llmrg.systems.export import export_run
from llmrg.systems.run import RunConfig, open_run, save_run
from llmrg.systems.training_words import read_known_words


def reports(run: Path, config: Any) -> list[Any]:
    """Reports of four test studies, read with the configuration of the run that was exported."""
    system = open_run(run, device="cpu").system
    studies = list(read_studies(config.data).split("test"))[:4]
    batch = collate_studies([(study, read_films(study, config.data), {}) for study in studies])
    return system.generate(batch, config.decoding, with_records=True)


@pytest.fixture(scope="module")
def spoken_run(tiny_run: Any, tiny_loaded: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The tiny run with adapters that matter (a training of 12 steps hardly moves them)."""
    config = replace(tiny_loaded.config, decoding=replace(tiny_loaded.config.decoding, max_new_tokens=16))
    paths = ArtefactPaths.below(tiny_run.artefacts)
    for seed in range(10):  # until its reports differ: equal ones would show little
        torch.manual_seed(seed)
        system = build_system(config.system, config.data, paths)
        generator = torch.Generator().manual_seed(5)
        with torch.no_grad():
            for name, parameter in system.named_parameters():
                if parameter.requires_grad:
                    parameter.add_(
                        torch.randn(parameter.shape, generator=generator) * (0.3 if "lora" in name else 0.05)
                    )
        run = tmp_path_factory.mktemp("spoken") / "run"
        head = f"---\nbase_model: {tiny_run.artefacts}/language_model\n---\n"
        card = head + "# tiny\n\n## Privacy\nas of yore\n\n## Use\nas is\n"
        details = {"training": {"studies": 42, "patients": 21}}
        save_run(
            system,
            run,
            config=config,
            artefacts=paths,
            producer="test",
            split_hash="x",
            card=card,
            extra={"train.yaml": (tiny_run.run / "train.yaml").read_text(encoding="utf-8"), "log.json": "[]\n"},
            details=details,
        )
        if len({report.text for report in reports(run, config)}) > 1:
            break
    return run, config


def test_merged_and_plain_exports_write_the_same(spoken_run: Any, tmp_path: Path) -> None:
    run, config = spoken_run
    expected = reports(run, config)
    assert len({report.text for report in expected}) > 1
    for merge in (False, True):
        done = export_run(run, tmp_path / f"merge-{merge}", merge=merge)
        found = reports(done.directory, config)
        assert [report.text for report in found] == [report.text for report in expected]
        for one, other in zip(found, expected, strict=True):
            assert one.log_probabilities == pytest.approx(other.log_probabilities, abs=2e-4)
    with safe_open(tmp_path / "merge-True" / "model.safetensors", framework="pt") as file:
        assert not [name for name in file.keys() if name.startswith("language_model.")]  # noqa: SIM118
    merged = read_manifest(tmp_path / "merge-True" / "artefacts" / "language_model")
    assert merged.kind == "language_model"
    assert merged.producer == "llmrg export --merge"
    assert open_run(tmp_path / "merge-True").config.system.language_model.tuning == "frozen"


def test_merging_changes_the_weights(spoken_run: Any, tiny_run: Any, tmp_path: Path) -> None:
    run, _ = spoken_run
    export_run(run, tmp_path / "out", merge=True)
    with (
        safe_open(tmp_path / "out" / "artefacts" / "language_model" / "model.safetensors", framework="pt") as merged,
        safe_open(run / "artefacts" / "language_model" / "model.safetensors", framework="pt") as base,
    ):
        assert set(merged.keys()) == set(base.keys())
        changed = [n for n in base.keys() if not torch.equal(base.get_tensor(n), merged.get_tensor(n))]  # noqa: SIM118
    assert any("q_proj" in name for name in changed)
    assert not any("embed" in name or "norm" in name for name in changed)


def test_without_data_it_writes_and_holds_no_word(spoken_run: Any, tiny_run: Any, tmp_path: Path) -> None:
    run, config = spoken_run
    known = read_known_words(config.data)
    assert known is not None
    assert known.studies == 60
    assert len(known.sentences) > 40
    done = export_run(
        run,
        tmp_path / "out",
        without_data=True,
        known_texts=known.sentences,
        known_identifiers=known.identifiers,
    )
    assert done.searched > 500
    written = reports(done.directory, config)
    assert all(report.log_probabilities for report in written)
    kinds = {record["kind"] for report in written for record in report.records}
    assert kinds == {"patches", "disease_queries", "visual_memory", "report_memory", "diagnosis_hints"}
    every = b"\0".join(path.read_bytes() for path in sorted(done.directory.rglob("*")) if path.is_file())
    annotation = json.loads((tiny_run.data / "annotation.json").read_text(encoding="utf-8-sig"))
    for record in annotation["train"]:
        for needle in (record["id"], record["patient_id"], record["report"], *record["report"].split("。")):
            if len(needle) >= 8:
                assert needle.encode() not in every
                assert needle.encode("utf-16-le") not in every
    assert b"trainpatient" not in every
    assert not (done.directory / "artefacts" / "index").exists()
    assert open_run(done.directory).config.system.evidence.sources == (
        "patches",
        "disease_queries",
        "visual_memory",
        "report_memory",
        "diagnosis_hints",
    )
    with safe_open(done.directory / "model.safetensors", framework="pt") as file:
        assert not [name for name in file.keys() if "retrieved_context" in name]  # noqa: SIM118
    bank = (done.directory / "artefacts" / "memory" / "visual_memory.jsonl").read_text().splitlines()
    names = [json.loads(line)["patient_id"] for line in bank]
    assert len(set(names)) == len(names), "patterns of one patient can still be told apart"


def test_without_data_is_said(spoken_run: Any, tmp_path: Path) -> None:
    run, _ = spoken_run
    done = export_run(run, tmp_path / "out", without_data=True, merge=True)
    manifest = read_manifest(done.directory)
    assert manifest.details["export"]["without_data"]
    assert manifest.details["export"]["merged"]
    assert manifest.details["export"]["no_longer_works"] == list(done.no_longer_works)
    assert not any(part["identifiers"] for part in manifest.details["patient_data"])
    assert manifest.contains_patient_text  # the embedded language model's vocabulary is cut out of reports
    card = (done.directory / "README.md").read_text(encoding="utf-8")
    for line in done.no_longer_works:
        assert line in card
    assert "may have memorised" in card
    assert card.count("## Privacy") == card.count("## Export") == card.count("## Use") == 1
    assert "as of yore" not in card
    again = export_run(done.directory, tmp_path / "twice", without_data=True)
    assert again.no_longer_works == done.no_longer_works
    assert (again.directory / "README.md").read_text(encoding="utf-8").count("## Export") == 1


def test_a_planted_word_stops_the_export(spoken_run: Any, tmp_path: Path) -> None:
    """Wherever it hides: in the prompt, in a copied log, compressed, in a memory's finding."""
    run, _ = spoken_run
    word = "双肺野透亮度增高，可见条索影。"
    places = {
        "run.yaml": lambda text: text.replace("name: tiny", f"name: {word}"),
        "log.json": lambda _: json.dumps([{"note": word}]),
        "README.md": lambda text: text + word,
        "train.yaml": lambda text: text + f"note: {word}\n",
    }
    for name, change in places.items():
        copy = shutil.copytree(run, tmp_path / name / "run")
        path = copy / name
        path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")
        with pytest.raises(UserError, match="were found in") as refused:
            export_run(copy, tmp_path / name / "out", without_data=True, known_texts=[word])
        assert word not in str(refused.value)
        assert name in str(refused.value)
        assert sorted(path.name for path in (tmp_path / name).iterdir()) == ["run"]
    copy = shutil.copytree(run, tmp_path / "zip" / "run")
    (copy / "tokenizer" / "extra.gz").write_bytes(gzip.compress(word.encode("utf-16-le")))
    with pytest.raises(UserError, match=r"tokenizer/extra\.gz"):
        export_run(copy, tmp_path / "zip" / "out", without_data=True, known_texts=[word])


def test_no_export_names_the_machine(spoken_run: Any, tiny_run: Any, tmp_path: Path) -> None:
    run, _ = spoken_run
    assert str(tiny_run.data).encode() in (run / "run.yaml").read_bytes()
    places = {str(tiny_run.folder), str(tmp_path), str(Path.home()), os.getcwd(), "/tmp/", "file:/"}  # noqa: PTH109
    places |= {name for name in (socket.gethostname(),) if len(name) >= 6}
    for merge in (True, False):
        done = export_run(run, tmp_path / f"out-{merge}", merge=merge)
        for path in done.directory.rglob("*"):
            if path.is_file() and path.name != "tokenizer.json":
                content = path.read_bytes()
                assert not [place for place in places if place != "/" and place.encode() in content], path
        with pytest.raises(UserError, match="not-exported"):
            read_studies(open_run(done.directory).config.data)


def test_an_export_is_never_written_over_anything(spoken_run: Any, tmp_path: Path) -> None:
    run, _ = spoken_run
    full = tmp_path / "full"
    full.mkdir()
    (full / "thesis.txt").write_text("years")
    (tmp_path / "file").write_text("years")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for out in (full, tmp_path / "file", tmp_path / "link", run):
        with pytest.raises(UserError, match="exists already"):
            export_run(run, out)
    for out in (run / "inside", run / "artefacts" / "new"):
        with pytest.raises(UserError, match="cannot lie in the run"):
            export_run(run, out)
    assert (full / "thesis.txt").read_text() == "years"
    (tmp_path / "empty").mkdir()
    assert is_complete(export_run(run, tmp_path / "empty").directory)


def test_a_failure_leaves_nothing(spoken_run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, _ = spoken_run
    for name in ("save_file", "tree_hash", "merge_language_model", "scan_directory"):
        with monkeypatch.context() as patch:

            def fail(*_: Any, **__: Any) -> None:
                raise OSError(28, "No space left on device")

            patch.setattr(export_module, name, fail)
            with pytest.raises(OSError, match="No space"):
                export_run(run, tmp_path / "out" / "x", merge=True, without_data=True)
        assert list((tmp_path / "out").iterdir()) == []


def test_models_in_eight_bits_are_not_merged(spoken_run: Any, tmp_path: Path) -> None:
    run, _ = spoken_run
    copy = shutil.copytree(run, tmp_path / "run")
    text = (copy / "run.yaml").read_text(encoding="utf-8")
    (copy / "run.yaml").write_text(text.replace("quantisation: none", "quantisation: 8bit"), encoding="utf-8")
    with pytest.raises(UserError, match="stored in 8bit"):
        export_run(copy, tmp_path / "out", merge=True)
    assert not (tmp_path / "out").exists()


def test_prompts_by_language_lose_the_source(tiny_loaded: Any) -> None:
    sources = tiny_loaded.config.system.evidence.sources
    both = {"zh": default_prompt("zh", sources), "en": default_prompt("en", sources)}
    config = replace(tiny_loaded.config, system=replace(tiny_loaded.config.system, prompt=both))
    kept = export_module._exported_config(config, merge=False, without_data=True).system.prompt
    assert isinstance(kept, dict)
    for language, prompt in kept.items():
        assert set(both[language].sources) - set(prompt.sources) == {"retrieved_context"}


def test_a_prompt_of_its_own_loses_the_source(tiny_run: Any, tiny_loaded: Any, tmp_path: Path) -> None:
    """And a run of a language model from elsewhere names it without its place and needs it."""
    path = str(tiny_run.artefacts / "language_model")
    system_config = replace(
        tiny_loaded.config.system,
        language_model=replace(tiny_loaded.config.system.language_model, path=path),
        prompt=default_prompt("zh", tiny_loaded.config.system.evidence.sources),
    )
    config = RunConfig(system=system_config, data=tiny_loaded.config.data, decoding=tiny_loaded.config.decoding)
    paths = ArtefactPaths.below(tiny_run.artefacts)
    system = build_system(system_config, config.data, paths)
    run = tmp_path / "run"
    card = f"---\nbase_model: {path}\n---\n# x\n| {path} |\n"
    save_run(system, run, config=config, artefacts=paths, producer="t", split_hash="x", card=card)
    done = export_run(run, tmp_path / "out", without_data=True)
    assert any("base language model language_model" in note for note in done.notes)
    assert str(tiny_run.folder) not in (done.directory / "README.md").read_text(encoding="utf-8")
    opened = open_run(done.directory, language_model=path)
    assert opened.config.system.prompt is not None
    assert "retrieved_context" not in opened.config.system.prompt.sources
    assert not read_manifest(done.directory).contains_patient_text
    whole = export_run(run, tmp_path / "whole", merge=True, without_data=True)
    assert open_run(whole.directory).system.language_model.config.path.startswith(str(whole.directory))
    with pytest.raises(UserError, match="not the one the run was trained with"):
        other = shutil.copytree(path, tmp_path / "other")
        (other / "config.json").write_text((other / "config.json").read_text() + "\n")
        export_run(run, tmp_path / "no", merge=True, language_model=str(other))
    assert not (tmp_path / "no").exists()
