"""Report text: cleaning that keeps the meaning, sentences and tokens, Chinese and English.

Imports nothing heavy (never torch), so that labelling and scoring work on a laptop.
"""
