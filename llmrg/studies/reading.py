"""Reading a dataset: from its configuration to a table of studies, without reading a pixel."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from llmrg.errors import TooManyBadStudiesError, UserError
from llmrg.studies._collector import Collector
from llmrg.studies.chexpert_plus import read_chexpert_plus
from llmrg.studies.ped_xray import read_ped_xray
from llmrg.studies.plain_table import read_plain_table
from llmrg.studies.settings import DataConfig
from llmrg.studies.splits import overlapping_patients
from llmrg.studies.study_table import StudyTable

__all__ = ["READERS", "read_studies"]

logger = logging.getLogger(__name__)

READERS: Mapping[str, Callable[[DataConfig, Collector], None]] = {
    "ped-xray": read_ped_xray,
    "chexpert-plus": read_chexpert_plus,
    "table": read_plain_table,
}
"""Format to reader; a new format is a new file and an entry here and in ``settings.FORMATS``."""


def read_studies(config: DataConfig) -> StudyTable:
    """Read all studies of a dataset.

    Files of films are looked up, but not opened. Studies that cannot be used are named in ``bad`` of the result,
    sound ones without a target section are counted in ``set_aside``.

    Raises:
        TooManyBadStudiesError: more studies are bad than ``config.max_bad_fraction`` allows; lists the first few.
        UserError: missing or broken files, no studies at all, or patients that stand in several splits.
    """
    collector = Collector(config)
    READERS[config.format](config, collector)
    good, bad = len(collector.builder), len(collector.bad)
    tolerated = config.tolerated_bad(good + bad)
    if bad > tolerated or (bad and not good):
        shown = "; ".join(f"study {study_id!r}: {reason}" for study_id, reason in collector.bad[:5])
        more = f"; and {bad - 5} more" if bad > 5 else ""
        raise TooManyBadStudiesError(
            f"{bad} of {good + bad} studies cannot be used, {tolerated} are tolerated: {shown}{more}",
            where=str(config.root),
            next_step="mend them, or raise max_bad_fraction",
        )
    if not good:
        left = ", ".join(f"{count} with {reason}" for reason, count in collector.set_aside.items())
        raise UserError(
            "The dataset has no study that can be used" + (f" ({left})" if left else ""), where=str(config.root)
        )
    table = collector.builder.finish(bad=collector.bad, set_aside=collector.set_aside)
    for study_id, reason in collector.bad[:20]:
        logger.warning("set aside: study %r: %s", study_id, reason)
    if bad > 20:
        logger.warning("set aside: %d more studies", bad - 20)
    _check_patients(table, config, known=collector.overlap_is_known)
    return table


def _check_patients(table: StudyTable, config: DataConfig, *, known: bool) -> None:
    overlaps = overlapping_patients(zip(table.patient_ids, table.split_names, strict=True))
    if not overlaps:
        return
    told = "; ".join(
        f"{len(patients)} of {a} also in {b} (such as {patients[0]!r})" for (a, b), patients in overlaps.items()
    )
    if known:
        logger.warning(
            "patients overlap between the splits of the comparison annotation: %s. "
            "Use it to compare with published numbers only",
            told,
        )
        return
    raise UserError(
        f"Patients stand in several splits, so that results would be too good: {told}",
        where=str(config.root),
        next_step="give every patient one split, or leave the split column away to have patients split by hash",
    )
