"""Write reports for many studies in batches of similar prompts."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from llmrg.errors import BadStudyError
from llmrg.generation.memory import BatchSize
from llmrg.language.context import render_context
from llmrg.language.settings import DecodingConfig
from llmrg.studies.dataset import collate_studies, read_films
from llmrg.studies.mixture import Data
from llmrg.studies.study import Study
from llmrg.systems.report import GeneratedReport
from llmrg.systems.report_generator import ReportGenerator
from llmrg.vision.token_centres import token_offset

__all__ = ["Written", "study_seed", "write_reports"]

logger = logging.getLogger(__name__)

_Readable = tuple[Study, list[np.ndarray]]


@dataclass(frozen=True, kw_only=True)
class Written:
    """A study with its report, or with what kept it from having one.

    Args:
        study: the study.
        report: its report.
        films: as the system saw them.
        error: what kept it from having one.
        offset: of the tokens' centres from the middles of their cells (``token_offset``), where maps are given.
    """

    study: Study
    report: GeneratedReport | None = None
    films: Sequence[np.ndarray] = ()
    error: BadStudyError | None = None
    offset: tuple[float, float] = (0.0, 0.0)


def write_reports(
    system: ReportGenerator,
    studies: Sequence[Study],
    data: Data,
    *,
    decoding: DecodingConfig,
    batch_size: int,
    instruction: str | None = None,
    with_records: bool = False,
    films: Mapping[str, list[np.ndarray]] | None = None,
    together: bool = False,
    without: Collection[str] = (),
) -> Iterator[list[Written]]:
    """Write reports batch by batch; the longest prompts come first, so that memory trouble shows at once.

    A study whose films cannot be read is given with its error, and the others go on. Where the memory is not enough
    for a batch, it and those after it are halved; a study that is too large alone is given with an error, too.

    Args:
        system: the system.
        studies: the studies.
        data: how films are read.
        decoding: how tokens are drawn; sampling is seeded by study, whatever the batch.
        batch_size: studies at once.
        instruction: replaces the prompt's instruction.
        with_records: gather evidence records and maps.
        films: films already read, by study id.
        together: several processes hold parts of the weights, so that each of them must write the same number of
            batches; whatever would be set aside or halved is raised instead.
        without: evidence sources that the decoder does not hear.
    """
    order = sorted(
        range(len(studies)),
        key=lambda row: (-len(studies[row].images), -len(_context(studies[row])), row),
    )
    size = BatchSize(batch_size, what="studies")

    def work(part: Sequence[_Readable]) -> list[Written]:
        return _write(
            system, part, decoding=decoding, instruction=instruction, with_records=with_records, without=without
        )

    for start in range(0, len(order), batch_size):
        done: list[Written] = []
        readable: list[_Readable] = []
        for row in order[start : start + batch_size]:
            study = studies[row]
            try:
                read = films[study.id] if films is not None and study.id in films else read_films(study, data)
                readable.append((study, read))
            except BadStudyError as error:
                if together:
                    raise
                done.append(_set_aside(error, study))
        # Processes that work together cannot take smaller batches each for itself.
        done.extend(work(readable) if together else size.run(readable, work, _too_large))
        yield done


def _set_aside(error: BadStudyError, study: Study) -> Written:
    logger.warning("set aside: %s", error)
    return Written(study=study, error=error)


def _too_large(item: _Readable) -> Written:
    study, _ = item
    return _set_aside(BadStudyError(study.id, "the memory is not enough for this study, even alone"), study)


def _context(study: Study) -> str:
    return render_context(study.context, study.language)


def study_seed(seed: int, study_id: str) -> int:
    """The seed of one study's sampling, the same in any batch and order."""
    return (seed * 1_000_003 + zlib.crc32(study_id.encode("utf-8", "surrogatepass"))) % 2**63


def _write(
    system: ReportGenerator,
    readable: Sequence[_Readable],
    *,
    decoding: DecodingConfig,
    instruction: str | None,
    with_records: bool,
    without: Collection[str],
) -> list[Written]:
    batch = collate_studies([(study, films, {}) for study, films in readable])
    seeds = [study_seed(decoding.seed, study.id) for study, _ in readable]
    reports = system.generate(
        batch, decoding, instruction=instruction, with_records=with_records, seeds=seeds, without=without
    )
    drawn = any(report.maps for report in reports)
    offset = token_offset(system.encoder.backbone, image_size=len(readable[0][1][0])) if drawn else (0.0, 0.0)
    return [
        Written(study=study, report=report, films=films, offset=offset)
        for (study, films), report in zip(readable, reports, strict=True)
    ]
