"""The class table shows every class with its figures."""

import io

from rich.console import Console

from llmrg.findings.vocabulary import get_vocabulary
from llmrg.metrics.clinical_efficacy import clinical_grid
from llmrg.metrics.clinical_table import class_table


def test_lines_of_classes():
    grid = clinical_grid([{"Edema": 1}, {"Edema": 1}], [{"Edema": 1}, {"Edema": 0}], get_vocabulary("chexpert14"))
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(class_table(grid))
    text = console.export_text()
    assert all(name in text for name in get_vocabulary("chexpert14").names)
    edema = next(line for line in text.splitlines() if line.strip().startswith("Edema")).split()
    assert edema[1:5] == ["0.500", "1.000", "0.667", "1"]
    assert edema[-2:] == ["0.500", "0.000"]
