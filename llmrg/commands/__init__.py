"""The sub-commands of ``llmrg``, a file a group: each reads its arguments and calls one function of a room.

Rooms are imported inside the commands, so that ``llmrg --help`` is quick and needs no torch.
"""
