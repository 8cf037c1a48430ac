"""Reading a dataset: from its configuration to a table of studies, without reading a pixel."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from llmrg.errors import TooManyBadStudiesError, UserError
from llmrg.studies._collector import Collector
from llmrg.studies.chexpert_plus import read_chexpert_plus
from llmrg.studies.cn_cxr import read_cn_cxr
from llmrg.studies.iu_xray import read_iu_xray
from llmrg.studies.memory import give_back_memory
from llmrg.studies.mimic_cxr import read_mimic_cxr
from llmrg.studies.mixed_table import join_tables
from llmrg.studies.mixture import Data, MixtureConfig
from llmrg.studies.ped_xray import read_ped_xray
from llmrg.studies.plain_table import read_plain_table
from llmrg.studies.rexrank import read_rexrank
from llmrg.studies.settings import DataConfig
from llmrg.studies.study_table import StudyTable

__all__ = ["READERS", "read_studies"]

logger = logging.getLogger(__name__)

READERS: Mapping[str, Callable[[DataConfig, Collector], None]] = {
    "ped-xray": read_ped_xray,
    "chexpert-plus": read_chexpert_plus,
    "iu-xray": read_iu_xray,
    "mimic-cxr": read_mimic_cxr,
    "cn-cxr": read_cn_cxr,
    "rexrank": read_rexrank,
    "table": read_plain_table,
}
"""Format to reader; a new format is a new file and an entry here and in ``settings.FORMATS``."""


def read_studies(config: Data) -> StudyTable:
    """Read all studies of a dataset, or of all members of a mixture (:func:`llmrg.studies.mixed_table.join_tables`).

    Files of films are looked up, but not opened. Studies that cannot be used are named in ``bad`` of the result,
    sound ones without a target section are counted in ``set_aside``.

    Raises:
        TooManyBadStudiesError: more studies are bad than ``config.max_bad_fraction`` allows; lists the first few.
        UserError: missing or broken files, no studies at all, or patients that stand in several splits.
    """
    if isinstance(config, MixtureConfig):
        return join_tables({name: read_studies(member.data) for name, member in config.members.items()})
    collector = Collector(config)
    READERS[config.format](config, collector)
    good, bad = len(collector.builder), len(collector.bad)
    tolerated = config.tolerated_bad(good + bad)
    if bad > tolerated or (bad and not good):
        shown = "; ".join(f"study {study_id!r}: {reason}" for study_id, reason in collector.bad[:5])
        more = f"; and {bad - 5} more" if bad > 5 else ""
        missing = collector.studies_with_missing_films
        partial = f"; {missing} of them lack films on disk: for a partial download set missing_images=skip"
        raise TooManyBadStudiesError(
            f"{bad} of {good + bad} studies cannot be used, {tolerated} are tolerated: {shown}{more}",
            where=str(config.root),
            next_step="mend them, or raise max_bad_fraction" + (partial if missing else ""),
        )
    if not good:
        left = ", ".join(f"{count} with {reason}" for reason, count in collector.set_aside.items())
        raise UserError(
            "The dataset has no study that can be used" + (f" ({left})" if left else ""), where=str(config.root)
        )
    if collector.missing_films:
        logger.warning(
            "%d films are not on disk (missing_images: skip): %d studies are left out, %d keep fewer films",
            collector.missing_films,
            collector.set_aside.get("no film on disk", 0),
            collector.thinned_studies,
        )
    table = collector.builder.finish(bad=collector.bad, set_aside=collector.set_aside)
    for study_id, reason in collector.bad[:20]:
        logger.warning("set aside: study %r: %s", study_id, reason)
    if bad > 20:
        logger.warning("set aside: %d more studies", bad - 20)
    _check_patients(table, config, known=collector.overlap_is_known)
    del collector  # it knows every id
    give_back_memory()
    return table


def _check_patients(table: StudyTable, config: DataConfig, *, known: bool) -> None:
    overlaps = table.overlapping_patients()
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
