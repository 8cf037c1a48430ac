"""Phantoms: drawn chest radiographs whose findings are known, in the on-disk format of each dataset.

``dataset.py`` draws whole datasets, ``truth.py`` keeps what is really in them, ``wording.py`` writes their reports.
"""
