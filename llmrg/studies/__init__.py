"""Studies: what one examination is, and how studies are read from datasets, films and DICOM files.

A reader turns a :class:`~llmrg.studies.settings.DataConfig` into a
:class:`~llmrg.studies.study_table.StudyTable` without reading a pixel; films are decoded by
:mod:`llmrg.studies.images` when a batch is made. Patient-disjoint splits live in :mod:`llmrg.studies.splits`.
"""
