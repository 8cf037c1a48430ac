"""English words that compare with an earlier examination, and what only looks like them."""

from __future__ import annotations

_EXAM = (
    r"(?:(?:chest|frontal|lateral|portable|abdominal|comparison|pa|ap|ct|outside|plain|xxxx|x-xxxx)[ ,]+){0,3}"
    r"(?:exam(?:ination)?s?|stud(?:y|ies)|radiographs?|radiography|films?|x-?rays?|x-xxxx|cxrs?|cts?"
    r"|scans?|imag(?:es?|ing)"
    r"|comparisons?|reports?|views?|mammograms?|mris?)"
)
_EARLIER = r"(?:prior|previous|preceding|earlier|last|old|recent|most recent|outside|comparison|multiple prior)"
# A date, or the mark that stands for a removed one.
_DATE = (
    r"(?:x{3,}|_{2,}|\d{1,4}[-/.]\d{1,2}(?:[-/.]\d{1,4})?|(?:19|20)\d\d\b|(?:jan|feb|mar|apr|may|jun|jul"
    r"|aug|sep|oct|nov|dec)[a-z]*\b)"
)
_THE = r"(?:(?:the|a|an|her|his|patient's|that|those) )?"
_END = r"(?=\s*(?:[.,;:)]|$|\band\b|\bor\b|\bbut\b|\bwith\b|\bin\b|\bwhich\b|\blikely\b|\d\.))"
_SEEN = (
    r"(?:seen|noted|described|identified|demonstrated|visuali[sz]ed|reported|present|evident|mentioned|measured|shown"
    r"|observed|documented|questioned|placed|\w+ed)"
)
_CHANGED = (
    r"(?:increased|decreased|improved|worsened|resolved|progressed|regressed|cleared|enlarged|developed|diminished"
    r"|changed|grown|appeared|disappeared|lessened|shifted|migrated|re-?expanded|re-?accumulated|become"
    r"|evolved|healed)"
)
_HANDLED = (
    r"(?:removed|placed|inserted|advanced|withdrawn|retracted|repositioned|exchanged|replaced|extubated|intubated"
    r"|pulled back|discontinued)"
)

# Names of the groups say the kind: c comparison with an examination, u unchanged, d different.
CUES: tuple[tuple[str, str], ...] = (
    (
        "comparison",
        rf"\b(?:compared|comparison|comparing|relative|compare) (?:to|with|is made (?:to"
        rf"|with)) {_THE}(?:{_EARLIER}|{_EXAM}|{_DATE}|yesterday)",
    ),
    ("comparison", rf"\bcompari(?:son|sons): *{_THE}(?:{_EARLIER} |{_EXAM}|{_DATE})"),
    ("comparison", rf"\bcomparison (?:is )?{_DATE}"),
    ("comparison", rf"\b{_EARLIER} {_EXAM}\b"),
    (
        "comparison",
        rf"\b(?:from|since|on|than|to|with|vs\.?|versus) {_THE}(?:prior|previous|before|earlier|last"
        rf"|comparison)s?\b{_END}",
    ),
    ("comparison", rf"\bsince {_THE}(?:{_EARLIER}|{_EXAM}|{_DATE}|yesterday|admission|surgery|\w+ {_EXAM})"),
    ("comparison", r"\b(?:as|than) (?:was |were )?(?:on |in |at )?(?:before|previously|yesterday)\b"),
    ("comparison", r"\b(?:un)?changed (?:from|since|compared)\b"),
    (
        "comparison",
        rf"\bpreviously[ -](?:(?:partially|well|also|incompletely) )?(?!healthy|treated|diagnosed){_SEEN}\b",
    ),
    ("comparison", r"\bin the interim\b"),
    ("unchanged", r"\b(?:unchanged|unaltered|stably)\b"),
    ("unchanged", r"\bstable\b"),
    (
        "unchanged",
        r"\b(?:no|not|without|little|nor) (?:(?:significant|significantly|interval|appreciable|appreciably"
        r"|substantial|substantially|definite|major|obvious|gross|grossly|further|other|new|great|much|any"
        r"|real|relevant|marked|markedly|acute|xxxx|overall|evidence of) ){0,3}changed?s?\b(?! (?:of|suggest"
        r"|consistent|compatible|to suggest|related))",
    ),
    (
        "unchanged",
        r"\bsimilar (?:in )?(?:appearance|size|degree|extent|configuration|position|distribution|severity)\b",
    ),
    ("unchanged", rf"\bsimilar (?:to|with|as) {_THE}(?:{_EARLIER}|{_EXAM}|{_DATE}|before)"),
    (
        "unchanged",
        r"\b(?:appears?|is|are|remains?|overall|grossly) similar\b(?! to the (?:left|right|other|contralateral))",
    ),
    ("unchanged", r"(?:^|(?<=[.;]) *)similar\b(?! (?:findings?|changes?|less|but)\b)"),
    ("unchanged", r"\bagain\b"),
    ("unchanged", r"\bre-?(?:demonstrat(?:ed|ion|es)|identified|visuali[sz]ed|noted)\b"),
    ("unchanged", r"\bpersist(?:s|ed|ing|ent|ently|ence)?\b"),
    ("unchanged", r"\bremain(?:s|ed)?\b"),
    (
        "unchanged",
        r"\bcontinue[sd]?\b(?! (?:follow|surveillance|monitoring|attention|observation|clinical|on\b|into"
        r"|with the|inferiorly|below|its course))",
    ),
    ("different", r"\binterval\b"),
    ("different", r"\bnew\b"),
    ("different", r"\bnewly\b(?! diagnosed)"),
    ("different", r"\bno longer\b"),
    (
        "different",
        rf"\b(?:has|have|had|having) (?:(?:slightly|mildly|markedly|significantly|largely|nearly|almost"
        rf"|completely|substantially|partially|now|also|mostly|not|since|further|minimally|somewhat|gradually"
        rf"|moderately|otherwise) ){{0,2}}{_CHANGED}\b",
    ),
    (
        "different",
        rf"\b(?:has|have|had) (?:now |since |also )?been (?:interval )?(?:{_HANDLED}|clearing|an? (?:increase"
        rf"|decrease|improvement)|(?:increase|decrease|improvement|resolution|development|progression))",
    ),
    ("different", r"\b(?:increase|decrease|reduction)d? in (?:the )?(?:size|number|extent|conspicuity)\b"),
    (
        "different",
        rf"\b(?:increased|decreased|improved|worse|better|larger|smaller|\w+er|more \w+"
        rf"|less \w+) (?:\w+ )?(?:from|since|than|compared (?:to|with)) (?:on |in |at )?{_THE}(?:{_EARLIER}"
        rf"|{_EXAM}|{_DATE}|before)",
    ),
    ("different", r"\bimprov(?:ed|ing|ement)\b"),
    ("different", r"\bworsen(?:ed|ing|s)?\b"),
    ("different", r"(?:\b(?:slightly|mildly|now|appears?|is|are|looks?|somewhat|significantly)) worse\b"),
    ("different", r"\b(?:increasing|decreasing|enlarging|diminishing|regressing|regression)\b"),
    ("different", r"\bprogress(?:ed|ing|ion|ive|ively)\b(?! massive)"),
    ("different", r"\b(?:resolved|resolving|resolution)\b"),
    ("different", r"\b(?:is|are) (?:now )?(?:developing|clearing)\b"),
    (
        "different",
        r"\b(?:slightly|somewhat|mildly|minimally|now) (?:larger|smaller|bigger)\b"
        r"(?! (?:than (?!on|before|prior|previous)|on the (?:left|right)))",
    ),
    ("different", r"\bre-?expan(?:ded|sion)\b"),
    (
        "different",
        r"\b(?:is|are|has|have) now\b|\bnow (?:seen|measur\w+|appears?|visible|present|demonstrates?|shows?"
        r"|projects?|terminates?)\b",
    ),
)

# A cue that stands in one of these is none; the pattern is looked for around the cue, in its sentence.
NOT: tuple[str, ...] = (
    # No earlier examination at hand.
    rf"\b(?:no|without|absence of|lack of|lacking|not|none) (?:(?:a|an|any|evidence of|direct|available"
    rf"|relevant|recent|xxxx|radiographic|appropriate) )*(?:{_EARLIER}"
    rf"|comparisons?)(?: {_EXAM})?(?! (?:change|since))",
    rf"\b{_EARLIER} {_EXAM} (?:is|are|was|were) (?:un|not |currently un|currently not )available",
    r"\bcomparisons?:? *(?:none|no |n/?a|not available|unavailable|nil)",
    r"\bcomparison (?:is|was) (?:not|un)available",
    # What is asked for, not what was done.
    r"\b(?:correlat\w+|compar\w+) with (?:\w+ ){0,4}(?:would|may|might|could|should|is|are|if|recommended"
    r"|suggested|advised|\w+ helpful)\b",
    rf"\b(?:recommend\w*|suggest|advis\w+|please|consider|should be|obtain\w*"
    rf"|request\w*)\b[^.;]*\b(?:compar\w+|correlat\w+|{_EARLIER} {_EXAM}|resolution|stability|interval"
    rf"|clear\w+|improvement|progress\w*|new|persist\w*)\b",
    rf"\b(?:{_EARLIER} {_EXAM}|comparison)\b[^.;]*\b(?:would be|may be|could be|if available|is recommended"
    rf"|are recommended|is suggested|is advised|should be)\b",
    r"\b(?:to|until|ensure|confirm|document\w*|demonstrat\w*|for|assess\w*|evaluat\w*|exclude) (?:(?:the"
    r"|its|complete|full|radiographic|interval|follow-?up|and|of|these|stability|or|expected"
    r"|subsequent) ){0,3}(?:resolution|clearing|stability|improvement|progression|persistence)\b",
    r"\bif (?:\w+ ){0,3}(?:persist\w*|worsen\w*|progress\w*|continue[sd]?|remain\w*|fails?)\b",
    r"\b(?:short|long|month|week|day|term|treatment|therapy)[ -]*(?:term )?interval\b|\binterval (?:follow"
    r"|film|chest|ct|radiograph|imaging|x-?ray|surveillance|re-?evaluation|x-xxxx)",
    r"\bfollow[ -]?ups?\b[^.;]*\b(?:resolution|clear\w*|stability|improv\w+|interval|recommended|persist\w*)\b",
    r"\b(?:until|after|upon) (?:\w+ ){0,2}(?:improve\w*|resol\w+|worsen\w*)\b",
    # Other senses.
    r"\b(?:hemodynamically|haemodynamically|clinically|mechanically|biomechanically|medically"
    r"|neurologically) stable\b",
    r"\b(?:patient|pt|condition) (?:\w+ ){0,3}stable\b|\bstable (?:condition|patient|angina|vital"
    r"|fracture pattern|spine)\b|\bvitals? (?:\w+ ){0,2}stable\b",
    r"\bnew (?:york|onset|patient|bone|mexico|england|jersey|zealand|hampshire)\b|\bnew-onset\b|\bperiosteal new\b",
    r"\b(?:high|spatial|image|contrast|limited|low|poor|thin)[ -]resolution\b",
    r"\b(?:left|right|upper|lower|side|base)\b[^.;,]{0,12}\bworse than\b[^.;,]{0,12}\b(?:left|right|upper|lower)\b",
    r"\b(?:compared|relative|comparison|similar) (?:to|with) (?:the )?(?:left|right|contralateral|opposite"
    r"|other|normal|lateral|upper|lower|frontal|expected)\b",
    r"\b(?:remains?|persist\w*) (?:in the differential|a (?:possib|concern|considera|differential)"
    r"|of concern|possible|to be|indeterminate|unclear|uncertain|difficult|suspicious)",
    r"\bprogressive (?:massive|disease of childhood|dyspnea|shortness|cough|symptoms|weakness)\b",
    r"\b(?:persistent|worsening|increasing|progressive|improving|continued|new"
    r"|recurrent) (?:\w+ )?(?:cough|fevers?|dyspnea|dyspnoea|shortness|chest pain|pain|symptoms|hypoxia"
    r"|wheez\w+|sob|weakness|leukocytosis)\b",
    r"\b(?:may|might|could|possibly|possible|versus|vs|question\w*|perhaps|either)\b[^.;,]*\b(?:resolving"
    r"|developing|new|progressive|improving|worsening)\b[^.;,]*\b(?:pneumonia|infection|infiltrates?|edema"
    r"|process|disease)\b",
    r"\b(?:increasing|decreasing|improv\w+) (?:the )?(?:sensitivity|inspiration|technique|penetration|age)\b",
    r"\b(?:persistent|continued) (?:left superior|azygos|vena|ductus|thymus|fetal)",
)
