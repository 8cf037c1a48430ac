"""English words that deny, doubt or bound what they stand beside (lower case)."""

from __future__ import annotations

import re
from typing import Literal

__all__ = ["CUES", "CueKind", "Starters"]

CueKind = Literal["pseudo", "neg", "neg_after", "unc", "unc_after", "unc_both", "evoke", "either", "stop", "aside"]
"""What a cue does: ``pseudo`` nothing, though it looks like one; ``neg`` and ``unc`` reach what follows,
``neg_after`` and ``unc_after`` what precedes, ``unc_both`` what follows or, where no finding does, what precedes;
``evoke`` is a doubt that an earlier negation reaches through (nothing to suggest pneumonia); ``either`` doubts its two
neighbours; ``stop`` ends a statement; ``aside`` ends the reach of a cue in front, while what follows it still speaks
of the finding before it (effusion, in the setting of failure, is possible)."""
Starters = dict[str, list[tuple[CueKind, re.Pattern[str]]]]

_SEEN = (
    r"(?:seen|identified|present|visuali[sz]ed|evident|appreciated|demonstrated|detected|noted|apparent|observed"
    r"|visible"
    r"|found|shown|confirmed|recogni[sz]ed|discern\w+|discovered|suspected|suggested|delineated|perceived|there)\b"
)
_CHANGE = (
    r"(?:change|increase|decrease|worsening|improvement|progression|growth|resolution|clearing|regression|reduction"
    r"|alteration|difference|deterioration)s?"
)
_PARTLY = (
    r"(?:partial|partially|partly|incomplete|incompletely|near[- ]complete|nearly complete|near[- ]total|nearly|almost"
    r"|largely|mostly|substantially|near[- ]completely|not (?:yet )?(?:completely|fully|entirely|quite|yet))"
)
_HARDLY = r"(?:can ?not|could not|can ?n't|can't|couldn't|unable to|difficult to|hard to|impossible to|not possible to)"
_ADVERB = r"(?: (?!no\b|not\b)[\w-]+){0,2}?"
_UNFREE = (
    r" (?:entirely |completely |fully |totally |wholly |altogether |quite |yet |really |exactly |any longer "
    r"|an? |the )*(?:without|(?:free|clear|devoid) (?:of|from)|negative for|lacking(?: in| of)?"
    r"|absen(?:t|ce)(?: of)?|lack of)\b"
)
_PARTS = (
    r"(?:lungs?|lobes?|zones?|bas(?:e|is)|apex|fields?|sides?|areas?|regions?|parts?|portions?|segments?|hemithorax"
    r"|spaces?|angles?|sulcus|fissures?|them|these)"
)
_THUS = r"therefore|then|thus|hence|consequently|accordingly|thereby|so"
_TEND = r"(?:is|are|was|were|remains?|remain|be|being|would be|has been|have been|seems?|appears?|as)"

# Kind, first words, and what follows them; of several that start with a word, the first that matches counts.
_TABLE: tuple[tuple[CueKind, str, str], ...] = (
    # -- no cues, though they look so
    (
        "pseudo",
        "no without not",
        rf" (?:\w+ ){{0,3}}?(?:interval )?{_CHANGE}\b(?: (?:in|of|to|from|since)\b)?(?! (?:to suggest|suggest))",
    ),
    ("pseudo", "not never isn't aren't wasn't weren't", _UNFREE),
    ("pseudo", "is are was were remains remain appears appear", rf" (?:not|never){_UNFREE}"),
    (
        "pseudo",
        "neither no none nor",
        rf" (?:(?!and |or |but |with |seen )[\w-]+ ){{0,2}}?{_PARTS}(?: \w+){{0,2}}?"
        r" (?:is|are|was|were|remains?|appears?) (?:\w+ )?(?:(?:free|clear|devoid) (?:of|from)|without)\b",
    ),
    ("pseudo", "nor", rf" (?:is|are|was|were) (?:[\w-]+ ){{0,2}}?{_PARTS} (?:free|clear|devoid) (?:of|from)\b"),
    (
        "pseudo",
        "is are was were not",
        r"(?: not)? (?:true|correct|the case) that (?:there (?:is|are|was|were) )?(?:no|not)\b",
    ),
    ("pseudo", "no", r" (?:interval )?enlargement (?:of|in) (?:the |this |known )"),
    (
        "pseudo",
        "not",
        r" (?:[\w-]+ ){0,2}?(?:changed|different|increased|decreased|improved|worsened|progressed|altered|resolved"
        r"|cleared"
        r"|grown|removed|moved|dissimilar)\b",
    ),
    (
        "pseudo",
        "not",
        r" (?:so )?(?:fully|completely|optimally|adequately|entirely)[- ](?:seen|visuali\w+|eval\w+"
        r"|assess\w+|includ\w+|delineat\w+|characteri\w+|defined|aerated|expanded)",
    ),
    ("pseudo", "not", r" (?:only|included|imaged|evaluated|assessed|required|necessarily)"),
    (
        "pseudo",
        "no without",
        r" (?:doubt|longer (?:required|necessary|needed)|more than|matter|complication\w*"
        r"(?: (?:of|from|after|related to|following))?)",
    ),
    ("pseudo", "failure failed", r" (?:of resolution|to (?:resolve|clear))(?: of)?"),
    ("pseudo", "has have had is are was were", rf" {_PARTLY} (?:resolved|cleared|disappeared|resorbed|subsided)"),
    (
        "pseudo",
        "partial incomplete near nearly almost partially incompletely largely mostly partly substantially",
        r"[- ]?(?:\w+ )?(?:complete |total |completely )?(?:interval )?(?:resolution|clearing|resolved|cleared"
        r"|clearance)(?: of)?",
    ),
    ("pseudo", "may", r" 20\d\d"),
    # -- doubt about a denial
    (
        "unc",
        "cannot can't couldn't can could unable not impossible difficult hard",
        r"(?: not| to)?(?: be)? (?:say|state|claim|conclude|sure|certain)(?: \w+){0,2}? (?:that )?there (?:is|are)"
        r" (?:no|not)\b",
    ),
    # -- doubt about what precedes
    (
        "unc_after",
        "can cannot could can't not",
        rf"(?: ?not)?(?: be)?{_ADVERB} (?:excluded|ruled out|discounted|dismissed|be certain)(?! by)",
    ),
    (
        "unc_after",
        "is are was were remains remain be would has have should could may might also being",
        rf"(?: (?:also|been|be|again|still|felt|thought|considered|to be|{_THUS}),?)*{_ADVERB}"
        r" (?:possible|suspected|questioned|likely|probable|questionable|equivocal|favou?red|uncertain|doubtful"
        r"|conceivable"
        r"|suggested|raised|entertained|considered|indeterminate|not certain|not excluded|not ruled out"
        r"|(?:a |an |the )?(?:\w+ )?(?:consideration|possibility|concern\b|differential)|of concern"
        r"|in the differential\w*"
        r"(?: diagnosis)?)(?! to |ly| that| an? | the | due| related| secondary| represent\w*| reflect\w*| from| for "
        r"| as "
        r"| chronic| old| \w+ing\b| artifact\w*| acute| new| post\w*| \w+ due| left| right| atelec| pneum| edema"
        r"| underlying"
        r"| overlap\w*| positional| mild| small| with )",
    ),
    (
        "unc_after",
        "may might could",
        r" (?:also |still |well |both )?(?:be (?:present|there|considered|suspected|seen"
        r"|responsible|evolving|developing|entertained)|coexist|exist|be superimposed|contribute)",
    ),
    ("unc_after", "should", r" (?:also )?be (?:considered|suspected|excluded)"),
    ("unc_after", "possible probable likely suspected questionable", r"(?=\s*(?:[.,;)]|$))"),
    ("unc_both", "?", r""),
    # -- doubt about what follows, or what precedes where nothing follows
    (
        "unc_both",
        "can cannot could can't couldn't unable difficult hard impossible not",
        rf"(?: ?not| to|n't)?(?: be)?{_ADVERB} (?:exclude|rule out|rule-out|discount|dismiss)\b",
    ),
    (
        "unc",
        "absence lack exclusion",
        r"(?: \w+)? of(?=[^.;,]* (?:can ?not|can't|could not|couldn't) be (?:\w+ )?(?:confirmed|established|assured"
        r"|ensured|verified|proven|proved|guaranteed|assumed))",
    ),
    ("unc", "does do did", r" not (?:\w+ )?(?:exclude|rule out)"),
    # -- negation of what precedes
    (
        "neg_after",
        "is are was were has have had be being can cannot could does do did",
        rf"(?: ?not| no longer|n't) (?:be |been )?(?:[\w-]+ ){{0,2}}?{_SEEN}",
    ),
    ("pseudo", "not", r" well"),
    ("neg_after", "not", rf" (?:[\w-]+ ){{0,2}}?{_SEEN}"),
    ("neg_after", "no", rf" longer (?:\w+ )?(?:{_SEEN}|a concern|as )"),
    (
        "neg_after",
        "has have had",
        r" (?:now |since |completely |fully |entirely |subsequently |interval(?:ly)? |also |all )*"
        r"(?:resolved|cleared|disappeared|subsided|vanished|gone|resorbed)",
    ),
    (
        "neg_after",
        "is are was were",
        r" (?:now |completely |entirely |essentially )*(?:absent|excluded|ruled out|gone|resolved"
        r"|not the case|negative)\b",
    ),
    (
        "neg_after",
        "is are was were seems appears considered thought felt deemed remains",
        r" (?:considered |thought |felt |deemed |to be |very |highly |therefore )*unlikely(?! to)",
    ),
    ("neg_after", "unlikely", r"(?! to\b)"),
    ("neg_after", "has have been was were is are", rf"(?: been)?{_ADVERB} (?:excluded|ruled out)"),
    (
        "neg_after",
        "has have been was were is are",
        r"(?: been| (?:now|since|subsequently|also|both|all|recently|interval))*"
        r" (?:removed|discontinued|withdrawn(?! slightly| \d| to| by| into| and| from|\w)|pulled(?! back)|explanted"
        r"|taken out)",
    ),
    ("neg_after", "removal extraction explantation", r"(?! of\b)"),
    ("neg_after", "excluded", r"(?=\s*(?:[.,;)]|$))"),
    ("neg_after", "ruled", r" out(?=\s*(?:[.,;)]|$))"),
    ("neg_after", "removed withdrawn discontinued", r"(?=\s*(?:[.,;)]|$))"),
    (
        "neg_after",
        "resolved cleared",
        r"(?! (?!since|on\b|in\b|from|when|with|compared|at\b|now\b|as\b|after|following)\w)",
    ),
    ("neg_after", ": -", r" ?(?:none|absent|no|negative|nil|0|not (?:seen|present|identified))(?=\s*(?:[.,;)]|$))"),
    ("neg_after", "absent none nil", r"(?=\s*(?:[.,;)]|$))"),
    (
        "neg_after",
        "is are appears appear remains remain within",
        r"(?: within)? (?:the )?(?:normal )?limits(?: of normal)?",
    ),
    # -- doubt that a negation reaches through
    (
        "evoke",
        "to that which",
        r" (?:suggest\w*|indicate|raise (?:the )?(?:suspicion|concern|question)|account)(?: for| of)?",
    ),
    ("evoke", "suggest suggests suggested suggesting suggestive suggestion suggestions", r"(?: of| that| for)?"),
    (
        "evoke",
        "suspicious concerning concern concerns worrisome worrying suspicion",
        r" (?:for|of|about|regarding)\b",
    ),
    # -- negation of what follows
    (
        "neg",
        "can cannot can't could unable",
        r"(?: ?not| to)?(?:n't)? (?:definitely |clearly |confidently )?"
        r"(?:identify|see|find|detect|demonstrate|appreciate|visuali[sz]e|discern)",
    ),
    ("neg", "not", r" (?:likely|felt|thought|believed) to (?:represent|reflect|be)"),
    ("neg", "unlikely", r" to(?: represent| reflect| be)?"),
    ("neg", "fail fails failed", r" to (?:show|reveal|demonstrate|identify|detect)"),
    ("neg", "argues argue arguing", r" against"),
    ("neg", "negative", r" (?:for|of)"),
    ("neg", "free clear devoid", r"(?: bilaterally)? (?:of|from)(?! (?:the|fluid overload))"),
    ("neg", "absence lack resolution removal disappearance clearance withdrawal discontinuation", r"(?: \w+)? of"),
    ("neg", "clearing", r" of"),
    ("neg", "rather", r" than"),
    ("neg", "as", r" opposed to"),
    ("neg", "instead", r" of"),
    ("neg", "ruled", r" out"),
    ("neg", "neg", r"(?: for)?"),
    ("neg", "resolved absent", r"(?! (?:since|on|in|from|when))"),
    (
        "neg",
        "no not without w/o nor neither never none excludes excluding lacks denies removed against inconsistent non "
        "zero nothing cannot don't doesn't isn't aren't",
        r"",
    ),
    # -- doubt of what follows
    (
        "unc",
        "possible possibly possibility probable probably likely suspect suspected suspects favor favors favored "
        "favoring "
        "favour favours favoured favouring question questionable questionably questions differential borderline "
        "equivocal presumed presumably presumptive consideration considerations potential potentially perhaps "
        "conceivably "
        "conceivable may might could consider considered maybe query uncertain doubtful",
        r"",
    ),
    ("unc", "upper top", r"[- ](?:limits? )?(?:of )?normal (?:or|to)"),
    (
        "unc",
        "thought felt believed",
        r" (?:likely )?to (?:represent|reflect|be (?:due|related|secondary|from\b|caused"
        r"|the result|a result))",
    ),
    ("unc", "raises raise raising", r" (?:the )?(?:question|possibility|concern|suspicion)"),
    ("unc", "less", r" likely"),
    ("either", "versus vs vs. v", r"\.?(?= )"),
    # -- where a statement ends
    (
        "stop",
        "but however although though otherwise while whereas except besides yet i despite "
        "whilst excepting nevertheless nonetheless",
        r"",
    ),
    (
        "stop",
        "there",
        r"(?= (?:is|are|was|were|has|have|may|might|appears?|remains?|also)\b"
        rf"(?! (?:(?:{_THUS}) )*(?:difficult|hard|impossible|not (?:easily |readily )?excluded)\b))",
    ),
    ("stop", "other", r" than"),
    ("stop", "aside apart", r" from"),
    ("aside", "in", r" the setting of| addition"),
    ("aside", "on", r" (?:a |the )?background of"),
    ("aside", "superimposed", r" (?:on|upon)"),
    ("aside", "status post after following given", r""),
    ("stop", "since with", r"(?: \w+){0,3} in (?:place|situ)"),
    ("stop", "and", r" (?:there|the|this|these|it|has|is|are|shows?)\b"),
    ("stop", ",", r" (?:and )?(?:there|the|this|these|it|findings?|is|are|has|have|shows?|which)\b"),
)


def _starters() -> Starters:
    starters: Starters = {}
    for kind, words, rest in _TABLE:
        for word in words.split():
            boundary = r"(?![\w])" if word[-1].isalnum() else ""
            starters.setdefault(word, []).append((kind, re.compile(re.escape(word) + boundary + rest)))
    return starters


CUES = _starters()
