"""Reports from a run, with decoding presets, evidence records and pictures."""
