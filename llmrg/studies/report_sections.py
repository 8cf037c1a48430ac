"""Sections of an English report that is one text: headings such as FINDINGS and IMPRESSION at the start of a line."""

from __future__ import annotations

import re
from collections.abc import Mapping

__all__ = ["split_sections"]

_NAMES = {
    "findings": ("finding", "findings", "findings and impression", "findings/impression", "impression and findings"),
    "impression": ("impression", "impressions", "conclusion", "conclusions", "opinion", "summary"),
    "indication": (
        "indication", "indications", "clinical indication", "clinical information", "reason for exam",
        "reason for examination", "reason for study", "reason", "indication for study",
    ),
    "history": ("history", "clinical history", "patient history", "indication/history", "clinical hx"),
    "comparison": ("comparison", "comparisons", "comparison study", "comparison exam"),
    "technique": ("technique", "procedure", "views"),
    "examination": ("examination", "exam", "study", "type of examination", "type of exam"),
    "recommendation": ("recommendation", "recommendations", "recommendation(s)"),
    "notification": ("notification", "notifications"),
}  # fmt: skip
_SECTION = {alias: name for name, aliases in _NAMES.items() for alias in aliases}
_KNOWN = "|".join(re.escape(alias) for alias in sorted(_SECTION, key=len, reverse=True))
# A known heading in any case, or another one in capitals.
_HEADING = re.compile(
    rf"^[ \t]*(?:((?i:{_KNOWN}))[ \t]*:|([A-Z][A-Z0-9 ,/&()+.'-]{{2,60}}):)[ \t]*", flags=re.MULTILINE
)
_FINAL = re.compile(r"^[ \t]*FINAL REPORT[ \t]*$", flags=re.MULTILINE)
_DESCRIBES_FILMS = re.compile(r"\b(?:views?|portable|radiographs?|pa and lat(?:eral)?|ap|upright|chest)\b")


def split_sections(text: str) -> Mapping[str, str]:
    """Split a report as MIMIC-CXR writes them into its sections.

    What precedes ``FINAL REPORT`` (a first reading) is left out. Lines of a paragraph are joined; paragraphs stay
    apart by a line break. A section that occurs twice is joined. A heading such as ``PA AND LATERAL VIEWS OF THE
    CHEST`` begins the findings where no heading names them. A text without any heading has no sections: what it
    describes is not guessed.

    Args:
        text: the report.

    Returns:
        Name (``findings``, ``impression``, ``indication``, ``history``, ``comparison``, ``technique``, ... or the
        heading in small letters) to text; empty sections are absent.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    final = list(_FINAL.finditer(text))
    if final:
        text = text[final[-1].end() :]
    headings = list(_HEADING.finditer(text))
    sections: dict[str, str] = {}
    ends = [heading.start() for heading in headings[1:]] + [len(text)]
    for heading, end in zip(headings, ends, strict=False):
        body = _joined(text[heading.end() : end])
        raw = " ".join((heading.group(1) or heading.group(2)).lower().split())
        name = _SECTION.get(raw, raw)
        if body:
            sections[name] = f"{sections[name]}\n{body}" if name in sections else body
    if "findings" not in sections:
        described = next((name for name in sections if name not in _NAMES and _DESCRIBES_FILMS.search(name)), None)
        if described is not None:
            sections["findings"] = sections.pop(described)
    return sections


def _joined(text: str) -> str:
    paragraphs = (" ".join(part.split()) for part in re.split(r"\n[ \t]*\n", text))
    return "\n".join(part for part in paragraphs if part)
