from __future__ import annotations

import dataclasses
import math
import random
from pathlib import Path

import pytest
import torch

from llmrg.artefacts import file_hash, read_manifest
from llmrg.errors import UserError
from llmrg.language.assembly import PromptAssembler, encode_reports
from llmrg.language.embedded import EmbeddedModelConfig
from llmrg.language.llm import LanguageModel
from llmrg.language.prompt import default_prompt
from llmrg.language.settings import DecodingConfig, LanguageModelConfig
from llmrg.pretraining.language_model import LanguageModelPretrainingConfig, pretrain_language_model

CONFIG = LanguageModelPretrainingConfig(
    model=EmbeddedModelConfig(vocabulary_size=400, hidden_size=48, layers=2, heads=2, intermediate_size=96),
    max_steps=150,
    batch_size=16,
    learning_rate=5e-3,
)
PARTS = (
    ("双肺纹理增多", "双肺纹理清晰"),
    ("心影不大", "心影增大"),
    ("左侧胸腔积液", "右侧胸腔积液", "双侧肋膈角锐利", "未见气胸"),
)


def reports_with_known_entropy(n: int) -> list[str]:
    """Sixteen equally likely reports: log 16 nats each."""
    stream = random.Random(0)
    return ["，".join(stream.choice(part) for part in PARTS) + "。" for _ in range(n)]


@pytest.fixture(scope="module")
def small_language_model(tmp_path_factory: pytest.TempPathFactory):
    steps = []
    out = pretrain_language_model(
        reports_with_known_entropy(200),
        tmp_path_factory.mktemp("lm") / "model",
        CONFIG,
        producer="test",
        split_hash="abc",
        languages=("zh",),
        progress=lambda done, total: steps.append((done, total)),
    )
    return out, steps


def test_loss_comes_near_the_entropy_of_the_reports(small_language_model) -> None:
    out, steps = small_language_model
    assert steps == [(i, 150) for i in range(1, 151)]
    model = LanguageModel(LanguageModelConfig(path=str(out), tuning="frozen"))
    every = [f"{a}，{b}，{c}。" for a in PARTS[0] for b in PARTS[1] for c in PARTS[2]]
    x = PromptAssembler(model, default_prompt("zh", ())).assemble({}, [{"context": ""}] * 16, every)
    with torch.no_grad():
        loss, logits = model(inputs_embeds=x.inputs_embeds, attention_mask=x.attention_mask, labels=x.labels)
    nats = float(loss) * len(logits) / 16
    assert math.log(16) - 1e-3 <= nats < math.log(16) + 0.5  # no model can beat the entropy on all sixteen


def test_it_writes_reports_and_ends_them(small_language_model) -> None:
    model = LanguageModel(LanguageModelConfig(path=str(small_language_model[0]), tuning="frozen"))
    x = PromptAssembler(model, default_prompt("zh", ())).assemble({}, [{"context": ""}])
    (written,) = model.generate(x.inputs_embeds, x.attention_mask, DecodingConfig(max_new_tokens=60))
    assert written.finished
    assert model.text(written.ids) in reports_with_known_entropy(500)


def test_manifest_is_honest(small_language_model) -> None:
    out, _ = small_language_model
    manifest = read_manifest(out)
    manifest.require(kind="language_model", where=out, split_hash="abc", languages=("zh",))
    assert manifest.contains_patient_text
    assert manifest.details["weights"] == file_hash(out / "model.safetensors")
    assert not list(out.glob("*.bin")) + list(out.glob("*.pt"))


def test_same_seed_same_weights(tmp_path) -> None:
    hashes = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        config = LanguageModelPretrainingConfig(model=CONFIG.model, max_steps=3, batch_size=4, seed=seed)
        reports = reports_with_known_entropy(20)
        out = pretrain_language_model(
            reports, tmp_path / name, config, producer="test", split_hash="x", languages=("zh", "en")
        )
        hashes.append(file_hash(out / "model.safetensors"))
    assert hashes[0] == hashes[1] != hashes[2]


def test_the_clock_stops_it(tmp_path) -> None:
    config = LanguageModelPretrainingConfig(model=CONFIG.model, max_steps=100_000, max_seconds=0.5, batch_size=4)
    out = pretrain_language_model(["双肺清晰"], tmp_path / "m", config, producer="t", split_hash="x", languages=("zh",))
    assert 1 <= read_manifest(out).details["steps"] < 1000


def test_no_reports_is_a_users_error(tmp_path) -> None:
    with pytest.raises(UserError, match="no reports"):
        pretrain_language_model(["", " "], tmp_path / "m", CONFIG, producer="t", split_hash="x", languages=("zh",))
    assert not list(tmp_path.iterdir())


def test_hints_are_followed_and_phrases_teach_them(tmp_path: Path) -> None:
    """What a hint says decides what is written: the right one of eight statements, against one in eight by chance."""
    stream = random.Random(1)
    words = {
        f"{side}{what}": f"{side}可见{what}。" for side in ("左侧", "右侧") for what in ("积液", "气胸", "结节", "实变")
    }
    chosen = [stream.choice(sorted(words)) for _ in range(160)]
    reports = [stream.choice(("双肺纹理清晰。", "心影不大。")) + words[hint] + "膈面光整。" for hint in chosen]
    out = pretrain_language_model(
        reports,
        tmp_path / "model",
        dataclasses.replace(CONFIG, max_steps=450, hint_share=1.0, prompt_share=0.0),
        producer="test",
        split_hash="abc",
        languages=("zh",),
        hints=chosen,
        phrases=[(hint, words[hint]) for hint in chosen],
    )
    model = LanguageModel(LanguageModelConfig(path=str(out), tuning="frozen"))
    assembler = PromptAssembler(model, default_prompt("zh", ("diagnosis_hints",)))
    asked = sorted(words)
    opening = "双肺纹理清晰。"
    margins = []
    for hint in asked:  # how much likelier is what the hint says than the seven other statements?
        told = [{"context": "", "diagnosis_hints": hint}] * len(asked)
        encoded = encode_reports(model.tokenizer, [opening + words[other] + "膈面光整。" for other in asked])
        assembled = assembler.assemble({}, told, encoded)
        with torch.no_grad():
            _, logits = model(
                inputs_embeds=assembled.inputs_embeds,
                attention_mask=assembled.attention_mask,
                labels=assembled.labels,
            )
        chosen = logits.log_softmax(-1).gather(1, encoded.ids[encoded.mask].unsqueeze(1)).squeeze(1)
        scores = [float(row.sum()) for row in chosen.split(encoded.mask.sum(1).tolist())]
        own = scores.pop(asked.index(hint))
        margins.append(own - sum(scores) / len(scores))
    assert sum(margins) / len(margins) > 1.0, margins  # nats; 0 without hints


def test_hints_must_fit_the_reports(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="hints"):
        pretrain_language_model(
            ["双肺纹理清晰。"],
            tmp_path / "model",
            CONFIG,
            producer="test",
            split_hash="abc",
            languages=("zh",),
            hints=["a", "b"],
        )
