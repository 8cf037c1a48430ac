"""Scores of reports: wording (BLEU, ROUGE-L, CIDEr), findings, variety and length, with confidence intervals.

Every metric is additive statistics a study and a value of their sum, so that resampling is a matrix product. Nothing
here imports torch. :func:`llmrg.metrics.scores.score_reports` is the one entry.
"""
