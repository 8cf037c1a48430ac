"""The encoder below a trained graph extractor: any one of transformers, or a small one that is trained from nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoModel, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase, RoFormerConfig

from llmrg.errors import UserError
from llmrg.language.loading import resolve_model

__all__ = ["GraphEncoder", "GraphEncoderConfig", "load_encoder", "new_encoder"]

_UNKNOWN, _PADDING, _FIRST, _LAST = "[UNK]", "[PAD]", "[CLS]", "[SEP]"
_SPECIAL = (_PADDING, _UNKNOWN, _FIRST, _LAST)  # their ids are their places
_NO_LIMIT = 1_000_000


@dataclass(frozen=True, kw_only=True)
class GraphEncoderConfig:
    """Which encoder reads reports.

    Args:
        path: folder or hub name of an encoder of transformers with a fast tokenizer; None trains a small one from
            nothing (a RoFormer: BERT with rotary positions), whose size the other values give.
        revision: commit, tag or branch of a hub model.
        max_tokens: longest window that is read at once; longer reports are cut between sentences.
        vocabulary_size: most tokens: characters of Chinese, words and pieces of words of English.
        hidden_size: width.
        layers: depth.
        heads: attention heads.
        intermediate_size: width of the MLP.
        dropout: of the small encoder.
    """

    path: str | None = None
    revision: str | None = None
    max_tokens: int = 256
    vocabulary_size: int = 3000
    hidden_size: int = 128
    layers: int = 3
    heads: int = 4
    intermediate_size: int = 384
    dropout: float = 0.1

    def __post_init__(self) -> None:
        if self.path is not None and not self.path.strip():
            raise ValueError("path of the encoder is empty; leave it out to train a small one")
        if self.max_tokens < 16:
            raise ValueError(f"max_tokens must be at least 16, not {self.max_tokens}")
        if min(self.vocabulary_size, self.hidden_size, self.layers, self.heads, self.intermediate_size) < 1:
            raise ValueError("the sizes of the encoder must be positive")
        if self.hidden_size % (2 * self.heads):
            raise ValueError("hidden_size must be a multiple of twice the heads")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must lie in [0, 1), not {self.dropout}")


@dataclass(frozen=True)
class GraphEncoder:
    """An encoder with what it reads.

    Args:
        model: the encoder.
        tokenizer: its tokenizer, of the ``tokenizers`` library.
        padding: token that fills batches.
        max_tokens: longest window.
        unknown: token of unknown words, of an encoder that is to be trained from nothing.
    """

    model: PreTrainedModel
    tokenizer: Tokenizer
    padding: int
    max_tokens: int
    unknown: int | None = None


def load_encoder(config: GraphEncoderConfig) -> GraphEncoder:
    """Load a pretrained encoder (safetensors only, no code from elsewhere).

    Raises:
        UserError: nothing usable there, no fast tokenizer, or an encoder-decoder.
    """
    path = config.path
    if path is None:
        raise ValueError("no encoder is named")
    directory = resolve_model(path)
    options: dict[str, Any] = {"trust_remote_code": False}
    options |= {"local_files_only": True} if directory else {"revision": config.revision}
    try:
        fast: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(str(directory or path), **options)
    except Exception as error:
        raise UserError(f"The encoder's tokenizer cannot be loaded ({type(error).__name__})", where=path) from error
    if not fast.is_fast:
        raise UserError(
            "The encoder has no fast tokenizer, and others do not tell where a token stands in the report",
            where=path,
            next_step="choose an encoder with tokenizer.json (BERT, RoBERTa, XLM-R, MacBERT, PubMedBERT, ...)",
        )
    try:
        model = AutoModel.from_pretrained(str(directory or path), use_safetensors=True, dtype=torch.float32, **options)
    except Exception as error:
        raise UserError(f"The encoder cannot be loaded ({type(error).__name__})", where=path) from error
    if getattr(model.config, "is_encoder_decoder", False):
        raise UserError("The graph extractor needs an encoder; this is an encoder with a decoder", where=path)
    for name, parameter in model.named_parameters():
        if name.startswith("pooler."):
            parameter.requires_grad_(False)  # nothing reads what it makes
    positions = int(getattr(model.config, "max_position_embeddings", None) or _NO_LIMIT)
    # RoBERTa's two first positions are no token's.
    longest = min(config.max_tokens, positions - 2, int(min(fast.model_max_length, _NO_LIMIT)))
    backend = cast(Tokenizer, fast.backend_tokenizer)
    padding = fast.pad_token_id if fast.pad_token_id is not None else 0
    return GraphEncoder(cast(PreTrainedModel, model), backend, int(padding), longest)


def new_encoder(config: GraphEncoderConfig, texts: Iterable[str], *, seed: int) -> GraphEncoder:
    """Build an untrained small encoder, and its tokenizer from the words of reports.

    The global random state is left as it was.

    Args:
        config: its size.
        texts: training reports, nothing else.
        seed: of the weights.
    """
    tokenizer = _train_tokenizer(texts, config.vocabulary_size)
    padding = _SPECIAL.index(_PADDING)
    settings = RoFormerConfig(
        vocab_size=tokenizer.get_vocab_size(),
        embedding_size=config.hidden_size,
        hidden_size=config.hidden_size,
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        intermediate_size=config.intermediate_size,
        hidden_dropout_prob=config.dropout,
        attention_probs_dropout_prob=config.dropout,
        max_position_embeddings=config.max_tokens,
        pad_token_id=padding,
        rotary_value=False,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = cast(PreTrainedModel, AutoModel.from_config(settings, dtype=torch.float32))
    return GraphEncoder(model, tokenizer, padding, config.max_tokens, _SPECIAL.index(_UNKNOWN))


def _train_tokenizer(texts: Iterable[str], size: int) -> Tokenizer:
    """Train BPE within characters of Chinese, words of Latin script, single digits and marks.

    WordPiece would number its pieces in another order each time.
    """
    tokenizer = Tokenizer(models.BPE(unk_token=_UNKNOWN))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.BertNormalizer()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.BertPreTokenizer(), pre_tokenizers.Digits(individual_digits=True)]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        min_frequency=2,
        special_tokens=list(_SPECIAL),
        show_progress=False,
    )
    tokenizer.train_from_iterator((text.encode("utf-8", "replace").decode("utf-8") for text in texts), trainer)
    first, last = ((word, _SPECIAL.index(word)) for word in (_FIRST, _LAST))
    tokenizer.post_processor = processors.BertProcessing(last, first)
    return tokenizer
