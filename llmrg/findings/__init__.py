"""Findings: vocabularies, what reports say of them, and labelers that read it, Chinese and English.

Imports nothing heavy (never torch), so that labelling and scoring work on a laptop.
"""
