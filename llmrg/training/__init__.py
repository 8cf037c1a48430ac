"""The training loop, its stages and the artefacts they build."""
