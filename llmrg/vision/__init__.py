"""Backbones that turn films into visual tokens."""
