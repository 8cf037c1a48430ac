"""Stages before the generator: language model, disease classifier."""
