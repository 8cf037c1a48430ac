from __future__ import annotations

import json
import shutil

import pytest
import torch

from llmrg.artefacts import Manifest
from llmrg.errors import UserError
from llmrg.language import loading
from llmrg.language.loading import load_causal_model, load_tokenizer, resolve_model, weights_reference
from llmrg.language.settings import LanguageModelConfig


@pytest.fixture
def checkpoint_copy(tiny_checkpoint, tmp_path):
    return shutil.copytree(tiny_checkpoint("qwen3"), tmp_path / "model")


def test_a_missing_directory_is_named(tmp_path) -> None:
    with pytest.raises(UserError, match="nowhere"):
        load_tokenizer(str(tmp_path / "nowhere"))


def test_a_relative_path_into_an_existing_folder_is_no_hub_name(tmp_path, monkeypatch) -> None:
    (tmp_path / "runs").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="not a directory"):
        resolve_model("runs/model")
    assert resolve_model("Qwen/Qwen3-0.6B") is None


def test_a_hub_model_out_of_reach_is_one_message() -> None:
    with pytest.raises(UserError, match="no-such-owner/no-such-model"):
        load_causal_model(LanguageModelConfig(path="no-such-owner/no-such-model"))


@pytest.mark.parametrize(
    ("missing", "message"),
    [("tokenizer.json", "no tokenizer"), ("config.json", "no config.json"), ("model.safetensors", "safetensors")],
)
def test_an_incomplete_directory_is_refused(checkpoint_copy, missing, message) -> None:
    (checkpoint_copy / missing).unlink()
    with pytest.raises(UserError, match=message):
        load_tokenizer(str(checkpoint_copy))


def test_pickled_weights_are_never_read(checkpoint_copy) -> None:
    (checkpoint_copy / "model.safetensors").rename(checkpoint_copy / "pytorch_model.bin")
    with pytest.raises(UserError, match=r"\.bin"):
        load_causal_model(LanguageModelConfig(path=str(checkpoint_copy)))


def test_truncated_weights_are_one_message(checkpoint_copy) -> None:
    weights = checkpoint_copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(UserError, match="cannot be loaded"):
        load_causal_model(LanguageModelConfig(path=str(checkpoint_copy)))


def test_an_artefact_must_be_whole_and_of_the_right_kind(checkpoint_copy) -> None:
    Manifest(kind="memory", producer="test").write(checkpoint_copy)
    with pytest.raises(UserError, match="incomplete"):
        resolve_model(str(checkpoint_copy))
    (checkpoint_copy / "COMPLETE").touch()
    with pytest.raises(UserError, match="'memory'"):
        resolve_model(str(checkpoint_copy))


def test_padding_is_defined_without_id_zero(checkpoint_copy) -> None:
    config = checkpoint_copy / "tokenizer_config.json"
    config.write_text(config.read_text().replace('"pad_token": "<|pad|>"', '"pad_token": null'), encoding="utf-8")
    tokenizer = load_tokenizer(str(checkpoint_copy))
    assert tokenizer.pad_token_id == tokenizer.eos_token_id != 0


def test_padding_that_is_a_word_is_refused(checkpoint_copy) -> None:
    config = checkpoint_copy / "tokenizer_config.json"
    config.write_text(config.read_text().replace('"pad_token": "<|pad|>"', '"pad_token": "a"'), encoding="utf-8")
    with pytest.raises(UserError, match="pads with an ordinary word, 'a'"):
        load_tokenizer(str(checkpoint_copy))


def test_code_of_a_model_is_never_run(checkpoint_copy) -> None:
    config = checkpoint_copy / "config.json"
    values = json.loads(config.read_text(encoding="utf-8"))
    own = {"AutoConfig": "own.OwnConfig", "AutoModelForCausalLM": "own.OwnModel"}
    config.write_text(json.dumps({**values, "model_type": "own", "auto_map": own}), encoding="utf-8")
    (checkpoint_copy / "own.py").write_text("raise SystemExit('the code was run')\n", encoding="utf-8")
    with pytest.raises(UserError, match="not native to transformers"):
        load_causal_model(LanguageModelConfig(path=str(checkpoint_copy)))


def test_reference_follows_the_weights_alone(checkpoint_copy) -> None:
    config = LanguageModelConfig(path=str(checkpoint_copy))
    before = weights_reference(config)
    weights = checkpoint_copy / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(bytes(content))
    after = weights_reference(config)
    assert before["weights"] != after["weights"]
    assert (before["config"], before["tokenizer"]) == (after["config"], after["tokenizer"])


@pytest.mark.parametrize(("dtype", "expected"), [("auto", torch.bfloat16), ("float16", torch.float16)])
def test_four_bit_weights_are_stored_in_the_type_of_the_others_on_gpus(
    monkeypatch: pytest.MonkeyPatch, dtype: str, expected: torch.dtype
) -> None:
    """ZeRO-3 divides no others (QLoRA under ZeRO-3 itself needs GPUs)."""
    pytest.importorskip("bitsandbytes", reason="bitsandbytes is in the extras [cpu] and [gpu]")
    config = LanguageModelConfig(path="x", quantisation="4bit", dtype=dtype)  # type: ignore[arg-type]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    settings = loading._quantisation(config)
    assert settings.bnb_4bit_quant_storage == settings.bnb_4bit_compute_dtype == expected
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    settings = loading._quantisation(config)
    assert (settings.bnb_4bit_quant_storage, settings.bnb_4bit_compute_dtype) == (torch.uint8, torch.float32)
