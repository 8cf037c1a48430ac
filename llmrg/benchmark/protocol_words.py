"""How a benchmark was measured, in words, for whoever reads its results."""

from __future__ import annotations

from llmrg.benchmark.references import References
from llmrg.benchmark.settings import BenchmarkConfig
from llmrg.findings.vocabulary import FindingVocabulary

__all__ = ["protocol_words", "reference_words"]


def protocol_words(
    config: BenchmarkConfig, *, references: References, vocabulary: FindingVocabulary, graphs: str
) -> dict[str, str]:
    """Say what was scored against what, by key; ``graphs`` is the version of the graph extractor."""
    against = (
        "the true findings of the dataset's side file"
        if references.truths is not None
        else "the findings that the labeler reads in the reference report"
    )
    resampled = f"95 %, {config.resamples} bootstrap resamples of patients" if config.resamples else "not computed"
    words = {
        "findings": f"read in each generated report by the labeler, held against {against}; only positive "
        f"statements count; all {len(vocabulary.abnormal)} findings of the vocabulary {vocabulary.name}",
        "clinical efficacy": "labels of the generated report against labels of the reference report, both by the same "
        f"labeler, over all {len(vocabulary)} entries of the vocabulary, under every published protocol "
        "(protocol/classes/average)",
        "graph": "entities, relations, and pairs of place and lesion of positive statements, in the graph of the "
        f"generated report against that of the reference, both by the same extractor, {graphs}",
        "invented priors": "part of the reports that compare with an earlier examination, among studies that had none "
        "by their data or, where those do not say, whose reference compares with none",
        "side": "of the sided findings rightly stated, the part with the true side",
        "wording": "against the full reference, never cut; sections " + ", ".join(config.data.target),
        "intervals": resampled,
        "tests": f"paired approximate randomisation, {config.trials} random swaps of patients, p = (c + 1) / (n + 1), "
        "Holm over the headline metrics of a pair; intervals of differences by paired bootstrap"
        if config.trials
        else "not computed",
        "seeds": "figures of a system of several runs are means over its runs; the interval is that of the mean over "
        "resampled patients",
        "constant": "of all distinct training reports the one with the best BLEU-4 on validation",
        "random": "a training report drawn for each study",
        "nearest": "the report of the training study with the most similar film: cosine of standardised 32-px "
        "frontal thumbnails",
        "nearest_encoder": "of the training studies that the system retrieved, or where it retrieves none of all of "
        "them, the report of the one most similar to the system's own frozen encoder",
        "oracle_nearest": "the training report with the best unigram F1 to the reference: a bound for systems that "
        "copy, not a system, for it is told the reference",
        "patients": "no row copies a report of a scored patient",
        "copies": "part of the reports that occur word for word in training, white space and case aside",
    }
    if not config.nearest:
        del words["nearest"]
    return words


def reference_words(name: str) -> str:
    """Say what a further reference protocol does."""
    if name == "clean-full":
        return "both sides cleaned as published systems do, references whole"
    if name.startswith("words"):
        return (
            f"as R2Gen (Chinese: KPCL): both sides cleaned, rare words of the reference unknown, reference cut to "
            f"{int(name[5:]) - 1} words; generated reports whole"
        )
    return "as R2GenGPT: both sides cleaned, reference cut to tokens of a language model; generated reports whole"
