"""The graph of a report: entities, and relations between them.

The schema is that of CN-RadGraph (Tang et al. 2023, doi 10.1007/978-3-031-47401-9_8), for Chinese and English alike;
``docs/graphs.md`` says how a report is annotated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, get_args, runtime_checkable

from llmrg.errors import UserError

__all__ = [
    "BatchGraphExtractor",
    "Entity",
    "EntityKind",
    "GraphExtractor",
    "Language",
    "Relation",
    "RelationKind",
    "ReportGraph",
]

EntityKind = Literal["Anatomy", "DPO", "DNO", "NO"]
"""Anatomy; observation that states disease, that denies disease, or that decides nothing."""
RelationKind = Literal["located_at", "modify"]
"""Observation to anatomy; observation to observation or anatomy to anatomy, the first modifying the second."""
Language = Literal["zh", "en"]

_ENTITY_KINDS: tuple[str, ...] = get_args(EntityKind)
_RELATION_KINDS: tuple[str, ...] = get_args(RelationKind)


@dataclass(frozen=True, slots=True)
class Entity:
    """A contiguous piece of a report.

    Args:
        text: its characters.
        start: offset of the first.
        end: offset behind the last.
        kind: Anatomy, DPO, DNO or NO.
        uncertain: whether a hedge stands over it. The schema has no such mark: an uncertain observation is a DPO
            (or a hedged denial a DNO) there, and comparisons ignore it.
    """

    text: str
    start: int
    end: int
    kind: EntityKind
    uncertain: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Relation:
    """A directed edge.

    Args:
        kind: located_at or modify.
        source: index of the entity that it leaves.
        target: index of the entity that it reaches.
    """

    kind: RelationKind
    source: int
    target: int


@dataclass(frozen=True, slots=True)
class ReportGraph:
    """Entities in reading order and the relations between them.

    Args:
        entities: spans of the text.
        relations: edges between them, by index.
    """

    entities: tuple[Entity, ...] = ()
    relations: tuple[Relation, ...] = ()

    def check(self, text: str | None = None) -> None:
        """Make sure that the graph is one: spans, kinds, indexes, ends of relations.

        Args:
            text: the report; where given, each entity must stand there.

        Raises:
            UserError: what is wrong, named by the entity's or relation's place, never by its words.
        """
        for place, entity in enumerate(self.entities):
            _check_entity(entity, f"entity {place}", text)
        if any(one.start > two.start for one, two in zip(self.entities, self.entities[1:], strict=False)):
            raise UserError("The entities of a graph stand in reading order", next_step="Sort them by start.")
        for place, relation in enumerate(self.relations):
            self._check_relation(relation, f"relation {place}")
        if len(set(self.relations)) != len(self.relations):
            raise UserError("A graph states a relation twice")

    def _check_relation(self, relation: Relation, where: str) -> None:
        if relation.kind not in _RELATION_KINDS:
            raise UserError("Unknown kind of relation", where=where, allowed=_RELATION_KINDS, got=str(relation.kind))
        ends = (relation.source, relation.target)
        if any(not 0 <= end < len(self.entities) for end in ends) or relation.source == relation.target:
            raise UserError(
                "A relation joins two different entities of its graph",
                where=where,
                allowed=[f"0 to {len(self.entities) - 1}"],
                got=f"{ends[0]} and {ends[1]}",
            )
        source, target = (self.entities[end].kind == "Anatomy" for end in ends)
        if relation.kind == "located_at" and (source or not target):
            raise UserError("located_at leads from an observation to an anatomy", where=where)
        if relation.kind == "modify" and source != target:
            raise UserError("modify joins two observations or two anatomies", where=where)

    def to_mapping(self) -> dict[str, Any]:
        """Return the graph as plain lists and mappings, for JSON."""
        entities: list[dict[str, Any]] = []
        for entity in self.entities:
            row: dict[str, Any] = {
                "text": entity.text,
                "start": entity.start,
                "end": entity.end,
                "kind": entity.kind,
            }
            if entity.uncertain:
                row["uncertain"] = True
            entities.append(row)
        relations = [{"kind": edge.kind, "source": edge.source, "target": edge.target} for edge in self.relations]
        return {"entities": entities, "relations": relations}

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any], *, text: str | None = None) -> ReportGraph:
        """Return the graph that :meth:`to_mapping` wrote, checked.

        Args:
            mapping: ``entities`` and ``relations``.
            text: the report; where given, each entity must stand there.

        Raises:
            UserError: it is no graph.
        """
        try:
            entities = tuple(
                Entity(row["text"], row["start"], row["end"], row["kind"], bool(row.get("uncertain", False)))
                for row in mapping["entities"]
            )
            relations = tuple(Relation(row["kind"], row["source"], row["target"]) for row in mapping["relations"])
        except (KeyError, TypeError, AttributeError) as error:
            raise UserError(
                "This is no report graph",
                allowed=["entities: text, start, end, kind", "relations: kind, source, target"],
                got=f"{type(error).__name__}: {error}",
            ) from error
        whole = (end for edge in relations for end in (edge.source, edge.target))
        spans = (value for entity in entities for value in (entity.start, entity.end))
        if not all(type(value) is int for value in (*whole, *spans)):
            raise UserError("Offsets and indexes of a graph are whole numbers")
        graph = cls(entities, relations)
        graph.check(text)
        return graph


class GraphExtractor(Protocol):
    """What turns a report into its graph."""

    @property
    def version(self) -> str:
        """Name and version, for signatures and caches."""
        ...

    def extract(self, text: str) -> ReportGraph:
        """Return the graph of a report; offsets count the characters of the text as it was given."""
        ...


@runtime_checkable
class BatchGraphExtractor(GraphExtractor, Protocol):
    """One that reads several reports faster than one after the other."""

    def extract_many(self, texts: Sequence[str]) -> list[ReportGraph]:
        """Return the graphs of reports, in order."""
        ...


def _check_entity(entity: Entity, where: str, text: str | None) -> None:
    if entity.kind not in _ENTITY_KINDS:
        raise UserError("Unknown kind of entity", where=where, allowed=_ENTITY_KINDS, got=str(entity.kind))
    if not 0 <= entity.start < entity.end or len(entity.text) != entity.end - entity.start:
        raise UserError("An entity is a span of characters", where=where, got=f"{entity.start} to {entity.end}")
    if text is not None and text[entity.start : entity.end] != entity.text:
        raise UserError("The words of an entity are not those of the report at its offsets", where=where)
