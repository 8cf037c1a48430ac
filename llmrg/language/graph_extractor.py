"""A graph extractor that was trained on annotated reports, behind the interface of the rules."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal, cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import nn
from transformers import AutoConfig, AutoModel, PreTrainedModel

from llmrg.artefacts import file_hash, is_complete, read_manifest, text_hash
from llmrg.errors import UserError
from llmrg.findings.graphs.graph import Entity, Language, Relation, ReportGraph
from llmrg.language.graph_decoding import TokenSpan, best_relations, best_spans
from llmrg.language.graph_encoder import GraphEncoder
from llmrg.language.graph_network import KINDS, GraphNetwork, GraphNetworkConfig
from llmrg.language.graph_windows import Window, Windows

__all__ = ["TrainedGraphExtractor"]

_SETTINGS = "extractor.json"
_WEIGHTS = "model.safetensors"
_TOKENIZER = "tokenizer.json"
_ENCODER = "config.json"
_FORMAT = 1


class TrainedGraphExtractor:
    """Reads graphs with a network.

    Args:
        network: encoder and heads.
        encoder: what the encoder was loaded or built with; its model is the network's.
        language: of the reports that it was trained on.
        version: name and hash, for signatures and caches.
    """

    def __init__(
        self, network: GraphNetwork, encoder: GraphEncoder, *, language: Language, version: str = "graph-extractor"
    ) -> None:
        self.network = network
        self.windows = Windows(encoder.tokenizer, max_tokens=encoder.max_tokens)
        self.padding = encoder.padding
        self.unknown = encoder.unknown
        self.language = language
        self.version = version

    def extract(self, text: str) -> ReportGraph:
        """Return the graph of a report; offsets count the characters of the text as it was given."""
        return self.extract_many([text])[0]

    @torch.no_grad()
    def extract_many(self, texts: Sequence[str], *, batch_size: int = 16) -> list[ReportGraph]:
        """Return the graphs of reports, in order.

        Args:
            texts: reports of any length.
            batch_size: windows (most reports are one) a forward pass, of similar length.
        """
        cut = [self.windows.cut(text) for text in texts]
        places = [(row, column) for row, windows in enumerate(cut) for column in range(len(windows))]
        places.sort(key=lambda place: len(cut[place[0]][place[1]].ids))
        found: dict[tuple[int, int], tuple[list[TokenSpan], list[bool], list[Relation]]] = {}
        training = self.network.training
        self.network.eval()
        try:
            for start in range(0, len(places), batch_size):
                chosen = places[start : start + batch_size]
                read = self._read([cut[row][column] for row, column in chosen])
                found.update(zip(chosen, read, strict=True))
        finally:
            self.network.train(training)
        return [
            _graph(text, windows, [found[row, column] for column in range(len(windows))])
            for row, (text, windows) in enumerate(zip(texts, cut, strict=True))
        ]

    def _read(self, windows: Sequence[Window]) -> list[tuple[list[TokenSpan], list[bool], list[Relation]]]:
        device = self.network.device
        rows = [torch.tensor(window.ids) for window in windows]
        ids = nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=self.padding).to(device)
        lengths = torch.tensor([len(row) for row in rows], device=device)
        mask = (torch.arange(ids.shape[1], device=device)[None] < lengths[:, None]).long()
        hidden, logits = self.network.read(ids, mask)
        logits = logits.cpu()
        spans = [
            best_spans(logits[row, : len(window.ids)], window.kept, window.continues)
            for row, window in enumerate(windows)
        ]
        most = max(1, *(len(some) for some in spans)) if spans else 1
        padded = torch.tensor([[*some, *[(0, 0, 0)] * (most - len(some))] for some in spans], device=device)
        links, doubt = self.network.relate(hidden, padded[..., :2], padded[..., 2])
        doubtful, links = (doubt > 0).cpu(), links.cpu()
        return [
            (some, doubtful[row, : len(some)].tolist(), best_relations(links[row, : len(some), : len(some)]))
            for row, some in enumerate(spans)
        ]

    def save(self, directory: Path) -> str:
        """Write weights, configuration and tokenizer into a folder that can be loaded anywhere.

        Returns:
            The version that names the files.
        """
        directory.mkdir(parents=True, exist_ok=True)
        weights = {name: tensor.cpu().contiguous() for name, tensor in self.network.state_dict().items()}
        save_file(weights, directory / _WEIGHTS)
        (directory / _WEIGHTS).chmod(0o644)  # safetensors writes for the owner alone
        settings = {
            "format": _FORMAT,
            "language": self.language,
            "kinds": KINDS,
            "max_tokens": self.windows.max_tokens,
            "padding": self.padding,
            "network": asdict(self.network.settings),
        }
        _write_json(directory / _SETTINGS, settings)
        _write_json(directory / _ENCODER, _portable(self.network.encoder.config.to_dict()))
        self.windows.tokenizer.save(str(directory / _TOKENIZER))
        return _version(directory)

    @classmethod
    def load(cls, directory: str | Path, *, device: str | torch.device = "cpu") -> TrainedGraphExtractor:
        """Load what :meth:`save` wrote.

        Args:
            directory: the folder.
            device: where it computes.

        Raises:
            UserError: no extractor there, or a damaged one.
        """
        directory = Path(directory).expanduser()
        names = (_SETTINGS, _WEIGHTS, _TOKENIZER, _ENCODER)
        missing = [name for name in names if not (directory / name).is_file()]
        if missing:
            raise UserError(
                f"This is no trained graph extractor: {', '.join(missing)} missing",
                where=str(directory),
                next_step="name a folder that `llmrg pretrain graph-extractor` made",
            )
        if is_complete(directory):
            read_manifest(directory).require(kind="graph_extractor", where=directory)
        try:
            settings = json.loads((directory / _SETTINGS).read_text(encoding="utf-8"))
            if settings["format"] != _FORMAT or tuple(settings["kinds"]) != KINDS:
                raise UserError("The graph extractor is of another version of llmrg", where=str(directory))
            encoder = GraphEncoder(
                _build_encoder(directory),
                Tokenizer.from_file(str(directory / _TOKENIZER)),
                int(settings["padding"]),
                int(settings["max_tokens"]),
            )
            network = GraphNetwork(encoder.model, GraphNetworkConfig(**settings["network"]))
            network.load_state_dict(load_file(directory / _WEIGHTS))
            language = _language(settings["language"])
        except (UserError, MemoryError):
            raise
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
            raise UserError(
                f"The graph extractor cannot be read ({type(error).__name__})",
                where=str(directory),
                next_step="copy its folder again, or train it again",
            ) from error
        network.eval().requires_grad_(False).to(torch.device(device))
        return cls(network, encoder, language=language, version=_version(directory))


def _graph(
    text: str, windows: Sequence[Window], read: Sequence[tuple[list[TokenSpan], list[bool], list[Relation]]]
) -> ReportGraph:
    entities: list[Entity] = []
    relations: list[Relation] = []
    for window, (spans, doubtful, links) in zip(windows, read, strict=True):
        first = len(entities)
        for (one, two, kind), doubt in zip(spans, doubtful, strict=True):
            start, end = window.starts[one], window.ends[two]
            hedged = doubt and KINDS[kind] != "Anatomy"
            entities.append(Entity(text[start:end], start, end, KINDS[kind], hedged))
        relations += [Relation(link.kind, first + link.source, first + link.target) for link in links]
    return ReportGraph(tuple(entities), tuple(relations))


def _build_encoder(directory: Path) -> PreTrainedModel:
    config = AutoConfig.from_pretrained(str(directory), local_files_only=True)
    return cast(PreTrainedModel, AutoModel.from_config(config, dtype=torch.float32))


def _portable(config: dict[str, Any]) -> dict[str, Any]:
    """Drop what names the machine or code from elsewhere."""
    return {name: value for name, value in config.items() if name not in ("_name_or_path", "auto_map")}


def _version(directory: Path) -> str:
    parts = [
        part for name in (_ENCODER, _SETTINGS, _TOKENIZER, _WEIGHTS) for part in (name, file_hash(directory / name))
    ]
    return f"graph-extractor-{text_hash(parts)[:12]}"


def _language(code: str) -> Language:
    if code not in ("zh", "en"):
        raise ValueError("unknown language")
    return cast(Literal["zh", "en"], code)


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True) + "\n", encoding="utf-8")
