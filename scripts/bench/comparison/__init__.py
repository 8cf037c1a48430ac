"""The parts of scripts/bench/systems.py: what is compared, in which commands, with what times, and how it is told."""
