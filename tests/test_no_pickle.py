"""A pickle that would run code is put in every place where a file is loaded: it never runs, and the user is told."""

from __future__ import annotations

import ast
import io
import json
import pickle
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted(path for folder in ("llmrg", "retrieval_index", "scripts", "site_hook")
                 for path in (ROOT / folder).rglob("*.py"))  # fmt: skip


class Canary:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (self.path, "w")


class Trap:
    """Pickles of one canary in every wrapping that a loader might open, and what became of it."""

    def __init__(self, folder: Path) -> None:
        self.canary = folder / "the-canary-has-sung"
        thing = {"state": {}, "canary": Canary(self.canary)}
        new, old, array = io.BytesIO(), io.BytesIO(), io.BytesIO()
        torch.save(thing, new)
        torch.save(thing, old, _use_new_zipfile_serialization=False)
        np.save(array, np.array([Canary(self.canary)], dtype=object), allow_pickle=True)
        self.wrapped = {
            "pickle": pickle.dumps(thing),
            "text-pickle": pickle.dumps(thing, protocol=0),
            "torch": new.getvalue(),
            "torch-old": old.getvalue(),
            "numpy": array.getvalue(),
        }

    def sprung(self) -> bool:
        return self.canary.exists()


@pytest.fixture
def trap(tmp_path: Path) -> Iterator[Trap]:
    made = Trap(tmp_path)
    yield made
    assert not made.sprung(), "a pickle was opened and its code ran"


WRAPPINGS = ("pickle", "text-pickle", "torch", "torch-old", "numpy")


def test_the_trap_works(tmp_path: Path) -> None:
    """Careless loaders run the canary; otherwise this file would prove nothing."""
    trap = Trap(tmp_path)
    careless: dict[str, Callable[[bytes], Any]] = {
        "pickle": pickle.loads,
        "text-pickle": pickle.loads,
        "torch": lambda data: torch.load(io.BytesIO(data), weights_only=False),
        "torch-old": lambda data: torch.load(io.BytesIO(data), weights_only=False),
        "numpy": lambda data: np.load(io.BytesIO(data), allow_pickle=True),
    }
    assert tuple(careless) == tuple(trap.wrapped) == WRAPPINGS
    for name, load in careless.items():
        assert not trap.sprung()
        load(trap.wrapped[name])
        assert trap.sprung()
        trap.canary.unlink()


def refusal(call: Callable[[], Any]) -> str:
    """What the user is told: one message, of an error that commands print and end with code 2."""
    from llmrg.errors import UserError

    with pytest.raises(UserError) as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("wrapping", WRAPPINGS)
@pytest.mark.parametrize("name", ["film.png", "film.jpg", "film.dcm", "film.npy"])
def test_films(trap: Trap, tmp_path: Path, name: str, wrapping: str) -> None:
    from llmrg.studies.images import load_image

    path = tmp_path / name
    path.write_bytes(trap.wrapped[wrapping])
    assert "is not a PNG, JPEG or DICOM file" in refusal(lambda: load_image(path))


READERS = {
    "ped-xray": ("annotation.json", {}),
    "iu-xray": ("annotation.json", {}),
    "mimic-cxr": ("annotation.json", {}),
    "cn-cxr": ("annotation.json", {}),
    "rexrank": ("rexrank.json", {}),
    "chexpert-plus": ("df_chexpert_plus_240401.csv", {}),
    "table": ("table.csv", {}),
}


@pytest.mark.parametrize("wrapping", WRAPPINGS)
@pytest.mark.parametrize("format", READERS)
def test_annotations_and_tables(trap: Trap, tmp_path: Path, format: str, wrapping: str) -> None:
    from llmrg.studies.reading import read_studies
    from llmrg.studies.settings import DataConfig

    name, options = READERS[format]
    path = tmp_path / "data" / name
    path.parent.mkdir()
    path.write_bytes(trap.wrapped[wrapping])
    (path.parent / "images").mkdir()
    message = refusal(
        lambda: read_studies(
            DataConfig(
                format=format,
                root=path.parent,
                annotation=path,
                language="en",
                vocabulary="chexpert14",
                **options,
            )
        )
    )
    assert name in message


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_configurations(trap: Trap, tmp_path: Path, wrapping: str) -> None:
    from llmrg.config import load_config
    from llmrg.training.settings import TrainConfig

    path = tmp_path / "train.yaml"
    path.write_bytes(trap.wrapped[wrapping])
    refusal(lambda: load_config(TrainConfig, path))


@pytest.mark.parametrize(
    "text", ["out: !!python/object/apply:builtins.open ['{0}', 'w']", "out: !!python/object/new:os.mkdir ['{0}']"]
)
def test_yaml_that_would_build_objects(trap: Trap, tmp_path: Path, text: str) -> None:
    from llmrg.config import load_config
    from llmrg.training.settings import TrainConfig

    path = tmp_path / "train.yaml"
    path.write_text(text.format(trap.canary), encoding="utf-8")
    refusal(lambda: load_config(TrainConfig, path))


def files_of(run: Path) -> list[str]:
    return sorted(path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file())


def test_every_file_of_a_run(
    tiny_run: Any, trap: Trap, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, subtests: pytest.Subtests
) -> None:
    """First as an attacker would leave it, then with the hashes passed over, so that every loader meets the pickle."""
    from llmrg.systems.run import open_run

    run = tmp_path / "run"
    shutil.copytree(tiny_run.run, run)
    names = files_of(run)
    unread = {"README.md", "train.yaml", "log.json", "tokenizer/tokenizer.json", "tokenizer/tokenizer_config.json"}
    optional = {"artefacts/language_model/generation_config.json"}
    assert unread | optional < set(names)
    for passed_over in (False, True):
        if passed_over:
            pass_over_hashes(monkeypatch, run, tiny_run.run)
        for name in names:
            if Path(name).name == "COMPLETE":
                continue  # a marker: that it is there is all that counts, or it holds a hash
            original = (run / name).read_bytes()
            for wrapping in ("pickle", "torch") if name.endswith((".safetensors", ".faiss")) else ("text-pickle",):
                with subtests.test(name=name, wrapping=wrapping, hashes_passed_over=passed_over):
                    (run / name).write_bytes(trap.wrapped[wrapping])
                    try:
                        if name in unread or Path(name).name == "log.json":
                            if not passed_over and name in unread:
                                open_run(run)
                        elif passed_over and name in optional:
                            tell_or_pass(lambda: open_run(run))
                        else:
                            refusal(lambda: open_run(run))
                        assert not trap.sprung()
                    finally:
                        (run / name).write_bytes(original)


def tell_or_pass(call: Callable[[], Any]) -> None:
    from llmrg.errors import UserError

    try:
        call()
    except UserError as error:
        assert "\n" not in str(error)


def pass_over_hashes(monkeypatch: pytest.MonkeyPatch, copy: Path, original: Path) -> None:
    """Let every module that hashes files see the untouched ones."""

    def untouched(real: Callable[[Path], str]) -> Callable[[Path], str]:
        def hashed(path: Path) -> str:
            inside = Path(path).resolve().is_relative_to(copy.resolve())
            return real(original / Path(path).resolve().relative_to(copy.resolve()) if inside else path)

        return hashed

    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] not in ("llmrg", "retrieval_index"):
            continue
        for function in ("file_hash", "tree_hash"):
            if hasattr(module, function):
                monkeypatch.setattr(module, function, untouched(getattr(module, function)))


@pytest.mark.parametrize("wrapping", WRAPPINGS)
@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin", "tokenizer.json", "config.json"])
def test_language_models_and_text_encoders(tiny_run: Any, trap: Trap, tmp_path: Path, name: str, wrapping: str) -> None:
    from llmrg.language.loading import load_causal_model, load_tokenizer
    from llmrg.language.settings import LanguageModelConfig
    from llmrg.language.text_encoder import TextEncoder

    folder = tmp_path / "model"
    shutil.copytree(tiny_run.run / "artefacts" / "language_model", folder)
    (folder / "manifest.json").unlink()  # as a stranger's model comes
    if name == "pytorch_model.bin":
        (folder / "model.safetensors").unlink()
    (folder / name).write_bytes(trap.wrapped[wrapping])
    if name != "tokenizer.json":
        refusal(lambda: load_causal_model(LanguageModelConfig(path=str(folder))))
    else:
        refusal(lambda: load_tokenizer(str(folder)))
    refusal(lambda: TextEncoder(folder))


def test_a_language_model_with_code_of_its_own(tiny_run: Any, trap: Trap, tmp_path: Path) -> None:
    from llmrg.language.loading import load_causal_model, load_tokenizer
    from llmrg.language.settings import LanguageModelConfig

    folder = tmp_path / "model"
    shutil.copytree(tiny_run.run / "artefacts" / "language_model", folder)
    (folder / "manifest.json").unlink()
    code = f"open({str(trap.canary)!r}, 'w')\nclass Evil: pass\n"
    (folder / "evil.py").write_text(code, encoding="utf-8")
    names = ("AutoConfig", "AutoModel", "AutoModelForCausalLM")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config |= {"model_type": "evil", "auto_map": dict.fromkeys(names, "evil.Evil")}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    settings = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    settings |= {"auto_map": {"AutoTokenizer": ["evil.Evil", "evil.Evil"]}, "tokenizer_class": "Evil"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    refusal(lambda: load_causal_model(LanguageModelConfig(path=str(folder))))
    tell_or_pass(lambda: load_tokenizer(str(folder)))


@pytest.mark.parametrize("wrapping", WRAPPINGS)
@pytest.mark.parametrize("name", ["trunk.pth", "trunk.safetensors", "trunk.bin"])
def test_weights_of_a_vision_backbone(trap: Trap, tmp_path: Path, name: str, wrapping: str) -> None:
    from llmrg.vision.backbone import build_backbone
    from llmrg.vision.settings import BackboneConfig

    path = tmp_path / name
    path.write_bytes(trap.wrapped[wrapping])
    config = BackboneConfig(
        architecture="resnet10t", options={"stem_width": 8, "channels": [8, 16, 16, 32]}, checkpoint=path
    )
    assert name in refusal(lambda: build_backbone(config, image_size=48))


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_vectors_of_a_search(tiny_run: Any, trap: Trap, tmp_path: Path, wrapping: str) -> None:
    from llmrg.cli import main

    path = tmp_path / "vectors.npy"
    path.write_bytes(trap.wrapped[wrapping])
    with pytest.raises(SystemExit) as ended:
        main(["index", "search", str(tiny_run.artefacts / "index"), "--vectors", str(path)])
    assert ended.value.code == 2


@pytest.mark.parametrize("wrapping", WRAPPINGS)
@pytest.mark.parametrize("reads", ["predictions", "results", "truth", "prepared"])
def test_what_commands_read(trap: Trap, tmp_path: Path, reads: str, wrapping: str) -> None:
    path = tmp_path / "file.jsonl"
    path.write_bytes(trap.wrapped[wrapping])
    if reads == "predictions":
        from llmrg.benchmark.predictions import read_predictions

        refusal(lambda: read_predictions(path, required=["1"]))
    elif reads == "results":
        from llmrg.benchmark.results import read_results

        refusal(lambda: read_results(path))
    elif reads == "truth":
        from llmrg.studies.phantoms.truth import read_truth

        (tmp_path / "truth").mkdir()
        path.rename(tmp_path / "truth" / "truth.jsonl")
        refusal(lambda: read_truth(tmp_path))
    else:
        from llmrg.studies._prepared_index import read_table

        refusal(lambda: read_table(path, sha256=""))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one whole checkpoint of a training of one layer."""
    folder = tmp_path_factory.mktemp("training")
    trainer(folder, steps=2).train()
    return folder


def trainer(folder: Path, *, steps: int) -> Any:
    from transformers import TrainingArguments

    from llmrg.pretraining.checkpointed_trainer import CheckpointedTrainer

    class OneLayer(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(2, 1)

        def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"loss": self.layer(x).square().mean()}

    arguments = TrainingArguments(
        output_dir=str(folder), max_steps=steps, save_steps=2, per_device_train_batch_size=1, report_to=[],
        use_cpu=True, disable_tqdm=True, dataloader_pin_memory=False,
    )  # fmt: skip
    return CheckpointedTrainer(model=OneLayer(), args=arguments, train_dataset=[{"x": torch.ones(2)}] * 8)


CHECKPOINT_FILES = ("optimizer.pt", "scheduler.pt", "rng_state.pth", "model.safetensors", "trainer_state.json")


@pytest.mark.parametrize(
    ("marker", "wrapping"),
    [
        ("stale", "torch"),
        ("missing", "torch"),
        ("matching", "pickle"),
        ("matching", "torch"),
        ("matching", "torch-old"),
    ],
)
@pytest.mark.parametrize("name", [*CHECKPOINT_FILES, "training_args.bin", "loop_0.json"])
def test_checkpoints(checkpoint: Path, trap: Trap, tmp_path: Path, name: str, wrapping: str, marker: str) -> None:
    """A checkpoint that another hand has touched is passed over; one that it has marked anew is refused."""
    from llmrg.artefacts import COMPLETE
    from llmrg.errors import UserError
    from llmrg.pretraining.checkpoints import last_checkpoint, mark

    folder = tmp_path / "training"
    shutil.copytree(checkpoint, folder)
    last = last_checkpoint(folder)
    assert last is not None
    assert (last / name).is_file()
    (last / name).write_bytes(trap.wrapped[wrapping])
    if marker == "missing":
        (last / COMPLETE).unlink()
    if marker == "matching":
        mark(last)
    found = last_checkpoint(folder)
    if marker != "matching":
        assert found is None
    elif name == "training_args.bin":  # written by the Trainer, read by nobody
        trainer(folder, steps=3).train(resume_from_checkpoint=str(found))
    else:
        with pytest.raises(UserError):
            trainer(folder, steps=3).train(resume_from_checkpoint=str(found))


PICKLING = {"pickle", "_pickle", "cPickle", "cloudpickle", "dill", "jsonpickle", "joblib", "shelve", "marshal"}


def unsafe_calls(source: str) -> list[str]:
    """Calls and imports that would run what a file tells them to."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names]
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else names
            found += [name for name in modules if name.partition(".")[0] in PICKLING]
        if isinstance(node, ast.Name) and node.id in ("eval", "exec") and isinstance(node.ctx, ast.Load):
            found.append(node.id)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name):
            found += unsafe_call(node)
    return found


def unsafe_call(node: ast.Call) -> list[str]:
    name = ast.unparse(node.func)
    given = {word.arg: ast.unparse(word.value) for word in node.keywords}
    last = name.rpartition(".")[2]
    if last in ("read_pickle", "load_pickle", "unsafe_load", "full_load", "unsafe_load_all", "full_load_all"):
        return [name]
    if name in ("torch.load", "load") and given.get("weights_only") != "True":
        return [name]
    if name in ("torch.jit.load", "torch.hub.load", "torch.package.PackageImporter"):
        return [name]
    if name in ("np.load", "numpy.load") and given.get("allow_pickle") != "False":
        return [name]
    if name in ("yaml.load", "yaml.load_all") and "Safe" not in given.get("Loader", ""):
        return [name]
    if last == "extractall" and given.get("filter") != "'data'":
        return [name]
    if given.get("trust_remote_code", "False") != "False" or given.get("weights_only", "True") != "True":
        return [name]
    return []


def test_no_source_opens_pickles() -> None:
    assert len(SOURCES) > 300
    found = {path.relative_to(ROOT).as_posix(): unsafe_calls(path.read_text(encoding="utf-8")) for path in SOURCES}
    assert {path: calls for path, calls in found.items() if calls} == {}


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from joblib import load as bring",
        "def f():\n    import dill.source",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "from torch import load\nload(path)",
        "np.load(path)",
        "np.load(path, allow_pickle=True)",
        "yaml.load(text)",
        "yaml.load(text, Loader=yaml.FullLoader)",
        "yaml.unsafe_load(text)",
        "pd.read_pickle(path)",
        "archive.extractall(folder)",
        "AutoModel.from_pretrained(path, trust_remote_code=True)",
        "engine.load_checkpoint(path, weights_only=flag)",
        "eval(text)",
    ],
)
def test_what_opens_pickles_would_be_seen(source: str) -> None:
    assert unsafe_calls(source)


def test_what_is_safe_is_let_through() -> None:
    safe = "torch.load(p, weights_only=True)\nnp.load(p, allow_pickle=False)\nyaml.safe_load(t)\nmodel.eval()"
    assert unsafe_calls(safe) == []
