"""Evidence sources: what the decoder is told about a study, and where it came from."""
