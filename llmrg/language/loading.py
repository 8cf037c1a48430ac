"""Tokenizers and causal language models read from a directory or, where a hub name is given, from the hub."""

from __future__ import annotations

import json
import logging
import os
import re
from pathlib import Path
from typing import Any, cast

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import cached_file

from llmrg.artefacts import MANIFEST, file_hash, read_manifest, text_hash
from llmrg.errors import UserError
from llmrg.language.settings import LanguageModelConfig

__all__ = ["load_causal_model", "load_tokenizer", "resolve_model", "weights_reference"]

logger = logging.getLogger(__name__)

_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
_TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer.model",
    "spiece.model",
    "sentencepiece.bpe.model",
    "vocab.json",
    "vocab.txt",
)


def resolve_model(path: str) -> Path | None:
    """Return the local directory that ``path`` names, checked, or None where it is the name of a hub model.

    Raises:
        UserError: no directory and no hub name, or a directory without config, tokenizer or safetensors weights.
    """
    directory = Path(path).expanduser()
    if directory.is_dir():
        _check_directory(directory)
        return directory
    looks_local = directory.exists() or directory.is_absolute() or not _HUB_NAME.fullmatch(path)
    if looks_local or (directory.parent != Path() and directory.parent.is_dir()):
        raise UserError(
            "The language model is not a directory",
            where=path,
            next_step="name a directory in the transformers format, or a hub model as owner/name",
        )
    return None


def load_tokenizer(path: str, *, revision: str | None = None) -> PreTrainedTokenizerBase:
    """Load a tokenizer, with padding defined by the tokenizer or else by its end-of-text.

    Raises:
        UserError: unreadable tokenizer, one without end-of-text, or one that pads with a word.
    """
    directory = resolve_model(path)
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            str(directory or path),
            revision=None if directory else revision,
            local_files_only=directory is not None,
            trust_remote_code=False,  # left open, transformers may ask at the terminal
        )
    except Exception as error:
        raise UserError(f"The tokenizer cannot be loaded ({_reason(error)})", where=path) from error
    if tokenizer.eos_token_id is None:
        raise UserError(
            "The tokenizer has no end-of-text token", where=path, next_step="set eos_token in tokenizer_config.json"
        )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    elif directory is not None:
        _check_padding(directory, str(tokenizer.pad_token))
    return cast(PreTrainedTokenizerBase, tokenizer)


def load_causal_model(config: LanguageModelConfig) -> PreTrainedModel:
    """Load the weights (safetensors only, no remote code), quantised if the configuration says so.

    The generation defaults that some checkpoints carry are dropped, except their end-of-text ids.

    Raises:
        UserError: unreadable or pickled weights, an architecture that is no causal language model, or missing
            bitsandbytes.
    """
    directory = resolve_model(config.path)
    dtype: Any = "auto" if config.dtype == "auto" else getattr(torch, config.dtype)
    if config.dtype == "auto" and config.tuning == "full":
        dtype = torch.float32
    options: dict[str, Any] = {
        "dtype": dtype,
        "use_safetensors": True,
        "local_files_only": directory is not None,
        "trust_remote_code": False,
    }
    if directory is None:
        options["revision"] = config.revision
    if config.quantisation != "none":
        options["quantization_config"] = _quantisation(config)
        device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if torch.cuda.is_available() else "cpu"
        options["device_map"] = {"": device}
    try:
        model = AutoModelForCausalLM.from_pretrained(str(directory or config.path), **options)
    except Exception as error:
        raise UserError(f"The language model cannot be loaded ({_reason(error)})", where=config.path) from error
    for module in model.modules():
        # On some CPUs bitsandbytes repacks 4-bit weights at the first evaluation, and gradients go wrong.
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False
    stop = model.generation_config.eos_token_id if model.generation_config is not None else None
    model.generation_config = GenerationConfig(eos_token_id=stop)
    return cast(PreTrainedModel, model)


def weights_reference(config: LanguageModelConfig) -> dict[str, str | None]:
    """Name the checkpoint so that a run can refer to it and notice another one in its place.

    Returns:
        ``path``, ``revision`` (the hub's commit, where it is a hub model) and the sha256 of ``weights``, ``config``
        and ``tokenizer`` files.
    """
    directory = resolve_model(config.path)
    revision = config.revision
    if directory is None:
        found = cached_file(config.path, "config.json", revision=config.revision)
        directory = Path(cast(str, found)).parent
        revision = directory.name
    files = {path.name: path for path in directory.iterdir() if path.is_file()}

    def digest(names: list[str]) -> str:
        return text_hash(part for name in sorted(names) for part in (name, file_hash(files[name])))

    return {
        "path": config.path,
        "revision": revision,
        "weights": digest([name for name in files if name.endswith(".safetensors")]),
        "config": digest([name for name in files if name == "config.json"]),
        "tokenizer": digest([name for name in files if name in _TOKENIZER_FILES or name == "merges.txt"]),
    }


def _check_padding(directory: Path, token: str) -> None:
    """Refuse padding that was a word before transformers made it a special token, which texts then would lack."""
    file = directory / "tokenizer.json"
    if not file.is_file():
        return
    values = json.loads(file.read_text(encoding="utf-8"))
    added = {str(entry["content"]) for entry in values.get("added_tokens", [])}
    if token in values.get("model", {}).get("vocab", {}) and token not in added:
        raise UserError(
            f"The tokenizer pads with an ordinary word, {token!r}, which reports would then lack",
            where=str(directory),
            next_step="set pad_token in tokenizer_config.json to its end-of-text",
        )


def _quantisation(config: LanguageModelConfig) -> Any:
    from transformers import BitsAndBytesConfig

    try:
        import bitsandbytes  # noqa: F401
    except Exception as error:
        raise UserError(
            f"quantisation={config.quantisation} needs bitsandbytes, which is not installed or does not import",
            where=config.path,
            next_step="pip install '.[cpu]' or '.[gpu]'",
        ) from error
    if config.quantisation == "8bit":
        logging.getLogger("bitsandbytes.autograd._functions").setLevel(logging.ERROR)  # a warning for every product
        return BitsAndBytesConfig(load_in_8bit=True)
    on_gpu = torch.cuda.is_available()
    compute = {"float16": torch.float16, "float32": torch.float32}.get(config.dtype, torch.bfloat16)
    if not on_gpu:
        compute = torch.float32
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=compute,
        # ZeRO-3 divides only tensors of the type that the other weights have.
        bnb_4bit_quant_storage=compute if on_gpu else torch.uint8,
    )


def _check_directory(directory: Path) -> None:
    if (directory / MANIFEST).is_file():
        read_manifest(directory).require(kind="language_model", where=directory)
    names = {path.name for path in directory.iterdir()}
    if "config.json" not in names:
        raise UserError("The language model has no config.json", where=str(directory))
    if not names.intersection(_TOKENIZER_FILES):
        raise UserError(
            "The language model has no tokenizer",
            where=str(directory),
            allowed=_TOKENIZER_FILES,
            next_step="save the tokenizer beside the weights (tokenizer.save_pretrained)",
        )
    if not any(name.endswith(".safetensors") for name in names):
        raise UserError(
            "The language model has no safetensors weights (pickled .bin files are not read)",
            where=str(directory),
            next_step="save it again with save_pretrained of a current transformers",
        )
    try:
        AutoConfig.from_pretrained(str(directory), local_files_only=True, trust_remote_code=False)
    except Exception as error:
        if "trust_remote_code" in str(error):
            raise UserError(
                "The language model is not native to transformers: it brings Python code, which is never run",
                where=str(directory),
                next_step="take a native form of it (glm-4-9b-chat-hf for glm-4-9b-chat, internlm3-8b-instruct) or "
                "another model",
            ) from error
        raise UserError(
            f"The language model's config.json is not usable ({_reason(error)})", where=str(directory)
        ) from error


def _reason(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:200] if lines else type(error).__name__
