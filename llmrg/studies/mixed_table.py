"""The studies of a mixture's members in one table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from llmrg.errors import UserError
from llmrg.studies._hashing import hash_texts
from llmrg.studies.study_table import StudyTable, StudyTableBuilder

__all__ = ["join_tables"]


def join_tables(tables: Mapping[str, StudyTable]) -> StudyTable:
    """Put the tables of several datasets one after the other.

    Every study learns which member it comes from. Patients of different members are different patients: an identifier,
    of a study or of a patient, that more than one member uses becomes ``MEMBER:ID`` in each of them; others stay.

    Args:
        tables: by name of the member.

    Raises:
        UserError: an identifier made so is taken already.
    """
    studies = _used_by_several(tables.values(), "id")
    patients = _used_by_several(tables.values(), "patient_id")
    builder = StudyTableBuilder()
    bad: list[tuple[str, str]] = []
    set_aside: dict[str, int] = {}
    made = {f"{name}:{patient}" for name in tables for patient in patients}
    for name, table in tables.items():
        for study in table:
            own = f"{name}:{study.id}" if study.id in studies else study.id
            patient = f"{name}:{study.patient_id}" if study.patient_id in patients else study.patient_id
            taken = study.patient_id in made
            if taken or not builder.add(replace(study, id=own, patient_id=patient, dataset=name)):
                raise UserError(
                    f"Identifiers of the member {name!r} cannot be told from another's even as MEMBER:ID",
                    where="data.members",
                    next_step="give the members other names",
                )
        bad += [(f"{name}:{error.study_id}", error.reason) for error in table.bad]
        for reason, count in table.set_aside.items():
            set_aside[reason] = set_aside.get(reason, 0) + count
    return builder.finish(bad=bad, set_aside=set_aside)


def _used_by_several(tables: Iterable[StudyTable], name: str) -> set[str]:
    """Texts of a column that occur in more than one table; by hashes first, so that millions take little memory."""
    hashed = [(table, hash_texts(table.column(name))) for table in tables]
    values, counts = np.unique(np.concatenate([np.unique(hashes) for _, hashes in hashed]), return_counts=True)
    suspects = values[counts > 1]
    seen: set[str] = set()
    several: set[str] = set()
    for table, hashes in hashed:
        own = set(table.select(np.flatnonzero(np.isin(hashes, suspects))).column(name))
        several |= seen & own
        seen |= own
    return several
