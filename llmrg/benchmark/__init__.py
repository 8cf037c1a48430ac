"""Systems against baselines on a dataset: tables, confidence intervals and a page that shows where each one errs."""
