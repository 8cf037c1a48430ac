"""English words of side, degree and place, and the joints of sentences (lower case)."""

from __future__ import annotations

import re

from llmrg.findings.mention import Severity, Side

__all__ = [
    "ADDS",
    "LEVEL",
    "NO_SIDE",
    "OTHER_CAUSE",
    "PLACE",
    "SEPARATOR",
    "SEVERITIES",
    "SIDES",
    "STARTS",
    "STATES",
]

_C = re.compile

# Where, between two findings, the words of the first end and those of the second begin.
SEPARATOR = _C(
    r"[,;:()]|\b(?:and|with|or|but|reflect\w*|represent\w*|likely|possibly|probably|may|might|could|consistent"
    r"|compatible"
    r"|suggest\w*|due|versus|vs|is|are|was|were|causing|without|no|adjacent|associated|overlying|secondary|concerning"
    r"|although|though|however|has|have|remains?|which|given|underlying|superimposed|rather|in keeping|can ?not)\b"
)

SIDES: tuple[tuple[Side, re.Pattern[str]], ...] = (
    (
        "bilateral",
        _C(
            r"\bbilateral\w*|\bbi-?(?:basilar|basal|basal|apical|lateral\w*|hilar)|(?<!or )\bboth\b(?= \w)(?! of which)"
            r"|(?<!left )(?<!right )(?<!left lung )(?<!right lung )\b(?:bases|apices)\b"
            r"|(?:in|throughout|within|involving|of|to) (?:the )?lungs\b|\beach (?:side|lung)|two-sided|either (?:side"
            r"|lung)"
        ),
    ),
    (
        "left",
        _C(r"\bleft\b(?! ventric| atri| heart|ward)|\blingula\w*|\b(?:lll|lul)\b|\bleft-|\blt\b|\bl (?:lung|base)"),
    ),
    (
        "right",
        _C(
            r"\bright\b(?! ventric| atri| heart|ward)|\b(?:rll|rul|rml)\b|\bmiddle lobe|\bright-|\brt\b"
            r"|\br (?:lung|base)"
        ),
    ),
)

SEVERITIES: tuple[tuple[Severity, re.Pattern[str]], ...] = (
    (
        "severe",
        _C(
            r"\b(?:severe\w*|large(?!-bore| bore)|marked\w*|extensive\w*|massive\w*|grossly|greatly|prominently"
            r"|diffuse\w*"
            r"|sizable|sizeable|substantial\w*|huge|gross|advanced|widespread|pronounced|florid)\b"
        ),
    ),
    ("moderate", _C(r"\b(?:moderate\w*|medium(?:-sized)?)\b")),
    (
        "mild",
        _C(
            r"\b(?:mild\w*|small(?!er than|-bore| bore)|minimal\w*|slight\w*|tiny|trace|minor|faint|minute|minimally"
            r"|miniscule"
            r"|minuscule)\b"
        ),
    ),
)
# A comparison is no degree: right larger than left, moderate to large.
LEVEL = _C(r"(?P<first>mild|minimal|small|slight|moderate)(?:ly)?[- ](?:to|-)[- ]?(?:moderate|large|severe|marked)\w*")

PLACE = _C(
    r"(?:\b(?:left|right|bilateral|both|the)[ -](?=\w))?(?:(?:upper|lower|mid|middle|medial|lateral|anterior|posterior"
    r"|basal|basilar|apical|perihilar|peripheral|central|costophrenic|superior|inferior|retrocardiac|suprahilar"
    r"|infrahilar"
    r"|hilar|paratracheal)[ /-]+){0,3}(?:(?:lung )?(?:lobes?|zones?|bas(?:e|es)|ap(?:ex|ices)|fields?)\b"
    r"|lungs?\b(?! vol)"
    r"|hemithorax|hemithoraces|midlung|midzones?|lingula|costophrenic (?:angles?|sulc\w+)|hil(?:um|a)\b|\bribs?\b"
    r"|clavicles?"
    r"|fissures?|scapulae?|sternum|humer\w+)|\b(?:bi)?(?:basilar|basal|apical)\b|biapical|retrocardiac|perihilar"
    r"|lingular"
    r"|infrahilar|suprahilar|\b[lr][ulm]l\b"
)

# Words that start a statement of their own after a comma, "and" or "with" in a negated list.
STARTS = _C(
    r"(?:,|\band|(?<!associated )(?<!consistent )(?<!compatible )\bwith|\bor)\s+(?:and\s+|with\s+)?(?:(?:a|an|the|also"
    r"|some|again|there|new|only|more|interval)\s+)?"
    r"(?:(?:very|now|previously)\s+)?(?:stable|mild\w*|small|moderate\w*|severe\w*|minimal\w*|slight\w*|trace|tiny"
    r"|chronic"
    r"|unchanged|persist\w+|improv\w+|left\b|right\b|bilateral\w*|bibasilar|biapical|low\b|normal|increas\w+|decreas\w+"
    r"|patchy|streaky|status|worsening|residual|resolving|old\b|healed|healing|marked\w*|enlarg\w+|borderline|calcified"
    r"|prominent|postoperative|post-?surgical|known\b|multiple|several|scattered|extensive|massive|surgical|sternal"
    r"|median"
    r"|degenerative|tortuous|atherosclero\w+|elevat\w+|hyperinflat\w+|likely|linear|faint|subtle)\b(?!-bore)"
)
# A verb that says how something is: the list item in front is a statement of its own.
STATES = _C(
    r"[^,;.]*?\b(?:is|are|has|have|had|remains?|persists?|appears?|shows?|measures?|projects?|extends?|overl\w+"
    r"|terminat\w+"
    r"|noted|again)\b(?! (?:clearly |definitely |been |also |otherwise |now |readily )?(?:seen|identified|present"
    r"|visuali\w+|evident|appreciated|demonstrated|detected|noted|apparent|observed|visible|found|shown|suspected|not"
    r"|no"
    r"|unlikely|excluded|ruled|absent|resolved))"
)
# What a blunted angle is read as, when it is no effusion; and words of the effusion itself.
OTHER_CAUSE = _C(
    r"\b(?:scar\w*|thicken\w*|adhesi\w+|fibro\w+|fat\b|fat pad\w*|atelecta\w+|hyperinflat\w*|emphysem\w*|hyperexpan\w+"
    r"|diaphragm\w*|eventration|overlying|soft tissue\w*|pleural reaction|rotation|position\w*|artifact\w*"
    r"|projection\w*"
    r"|granulo\w+|surg\w+|flatten\w+)"
)
ADDS = _C(r"\b(?:or|nor)\b")

NO_SIDE = frozenset(
    {
        "support_device",
        "rib_fracture",
        "cardiomegaly",
        "enlarged_mediastinum",
        "mediastinal_shift",
        "aortic_change",
        "scoliosis",
        "degenerative_spine",
        "postoperative",
        "foreign_body",
        "free_air",
        "hernia",
    }
)
"""Observations whose side says nothing of findings after them."""
