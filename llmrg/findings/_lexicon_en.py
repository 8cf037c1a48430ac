"""English radiographic language (lower case)."""

from __future__ import annotations

import re

from llmrg.findings._lexicon import Lexicon

__all__ = ["ENGLISH"]

_C = re.compile
_W = r"(?:[\w/-]+ )"  # a word and its space
_HEART = (
    r"(?:heart|cardiac(?! and mediast| or mediast)(?: silhouette| shadow| size| contours?| outline)?"
    r"|cardiothoracic ratio|cardio-?pericardial silhouette)"
)
_MEDIASTINUM = r"(?:cardio[- ]?mediastin\w+|(?:superior )?mediastin\w+)"
_NORMAL = r"(?:normal|unremarkable|within (?:\w+ )?limits|not widened|not enlarged|stable and normal)"
_BIG = r"\b(?:enlarged|enlargement|increased|large|big|prominent|widened)"

_PHRASES = {
    "increased_lung_markings": (
        rf"(?:increas\w*|prominen\w*|accentuat\w*|coarse\w*|thickened|exaggerated|crowded) {_W}{{0,3}}?markings"
        rf"|markings (?:are |is |appear |appears |remain )?{_W}{{0,3}}?(?:increased|prominent|accentuated|coarsened"
        rf"|coarse)"
    ),
    "patchy_opacity": (
        r"opaci\w+|infiltrat\w+|haziness|\bhaze\b|hazy|ground[- ]glass|(?:airspace|air[- ]space|alveolar) (?:disease"
        r"|process)\w*"
        rf"|(?:increased|ill-defined|patchy|streaky|hazy|linear|focal|subtle|faint|vague|airspace|interstitial|nodular|"
        rf"basilar|bibasilar|retrocardiac|perihilar|lobe|lung|base|parenchymal|pulmonary) {_W}{{0,2}}?densit(?:y|ies)"
        r"|reticula\w*|interstitial (?:pattern|changes)|shadowing"
    ),
    "consolidation": r"\bconsolidat\w*",
    "nodule": (
        r"nodul\w*|\bmass(?:es)?\b|(?:lung|pulmonary|nodular|cavitary|parenchymal) lesions?"
        r"|\bcavit(?:ary|ation)\b|(?<!thoracic )(?<!pleural )(?<!chest )(?<!abdominal )\bcavit(?:y|ies)\b|neoplas\w+|"
        r"malignan\w+|metasta\w+|carcinoma|tumou?rs?\b"
    ),
    "atelectasis": r"atelecta\w*|collapse[sd]?\b",
    "edema": (
        r"o?edema|(?:pulmonary|vascular|venous|central) (?:vascular |venous )?congestion"
        r"|congestive (?:heart )?(?:failure|changes?)"
        r"|heart failure|\bchf\b|cephalization|vascular engorgement"
    ),
    "pneumothorax": r"pneumothora\w*|hydropneumothora\w*|pleural air(?: collection)?|\bptx\b",
    "pleural_effusion": (
        r"effusions?|pleural fluid|hydrothorax|hydropneumothora\w*|h(?:a)?emothora\w*|empyema"
        r"|fluid in the (?:\w+ )?(?:pleural|fissure)"
        rf"|blunt\w* {_W}{{0,5}}?(?:costophrenic|sulc\w+|angles?)|costophrenic {_W}{{0,5}}?(?:blunt\w*|obscur\w*"
        rf"|effac\w*)"
        rf"|obscur\w+ {_W}{{0,4}}?costophrenic"
    ),
    "pleural_thickening": (
        rf"(?:bi)?(?:pleural|pleura|pleuro-?parenchymal|apical cap\w*) {_W}{{0,2}}?(?:thicken\w*|adhesions?"
        rf"|calcifi\w*|plaques?|scar\w*)"
        rf"|thicken\w* {_W}{{0,4}}?pleura\w*|calcified pleura\w*|fibrothorax|apical capp?\w*"
    ),
    "cardiomegaly": (
        rf"cardiomegaly|borderline {_W}{{0,2}}?(?:heart|cardiac)|cardiac enlargement|{_BIG} {_W}{{0,2}}?(?:of the "
        rf"|of )?(?:heart|cardiac)\b(?! and mediast)"
        rf"|{_HEART} (?:(?!normal|unremarkable|lung|mediast|limits|no |aort)[\w/-]+ ){{0,6}}?(?:enlarged|enlargement"
        rf"|increased|large|big|borderline\w*|prominent(?!ly)(?= in size|\.|,|$))"
    ),
    "enlarged_mediastinum": (
        rf"{_BIG} {_W}{{0,2}}?(?:of the )?{_W}{{0,2}}?{_MEDIASTINUM}|widening of the {_W}{{0,2}}?{_MEDIASTINUM}"
        rf"|{_MEDIASTINUM} (?:(?!normal|unremarkable|lung|limits|no )[\w/-]+ ){{0,5}}?(?:widen\w*|enlarge\w*"
        rf"|prominen\w*)"
    ),
    "pneumonia": r"pneumonias?\b|bronchopneumonia|infectio\w+",
    "rib_fracture": r"fractur\w*",
    "support_device": (
        r"\btubes?\b|catheters?|\bpicc\b|(?:central|venous|jugular|subclavian|ij|arterial|picc|monitoring|support|ekg"
        r"|ecg) lines?\b"
        r"|lines? (?:and tubes|tip)|pacemakers?|pacers?\b|pacing|\ba?icd\b|defibrillators?|port-?a-?cath|mediport"
        r"|\bport\b(?! of)"
        r"|\bleads\b|\bdrains?\b|\bstents?\b|prosthetic \w+|valve (?:replacement|prosthesis)|\bhardware\b|fixation"
        r"|sternal wires|"
        r"(?:sternotomy|cerclage) wires|intubat\w+|support devices?|swan-?ganz|\bshunt\b|tracheostomy|balloon pump"
        r"|\bett\b"
    ),
}
_NORMALS = {
    "increased_lung_markings": (
        rf"(?:vascularity|vasculature|markings|vascular pattern) (?:is |are |appears? |remains? )?{_W}{{0,3}}?{_NORMAL}"
        rf"|normal {_W}{{0,1}}?(?:vascular\w*|vasculature|markings|lung markings)(?: pattern)?"
    ),
    "patchy_opacity": (
        r"\blungs?(?: fields?| zones?)? (?:(?!no\b|not\b|without\b|base|costo)[\w/,-]+ ){0,7}?(?:clear\b"
        r"|unremarkable|normal)"
        r"|clear (?:\w+ )?lungs?\b|normal lungs|no (?:active|acute) (?:lung|pulmonary) (?:disease|abnormalit\w+"
        r"|process|findings?|infiltrat\w+)"
        r"|lungs? without (?:focal|acute) abnormalit\w+"
    ),
    "pleural_effusion": (
        r"costophrenic (?:angles?|sulc\w+|recess\w*|sinus\w*)[^.;]{0,20}?(?:sharp|clear|preserved)|(?:sharp"
        r"|clear) (?:\w+ )?costophrenic"
        r"|pleural (?:spaces?|cavit\w+) (?:are |is )?(?:clear|normal)"
    ),
    "cardiomegaly": (
        rf"{_HEART}(?:,)? (?:(?!enlarged|abnormal|lung)[\w/,-]+ ){{0,8}}?{_NORMAL}|(?:normal"
        rf"|unremarkable) {_W}{{0,2}}?(?:heart|cardiac)"
        rf"(?: size| silhouette| contours?)?|cardiac (?:and|or) mediastinal (?:[\w-]+ ){{0,4}}?{_NORMAL}"
        rf"|upper limits of normal"
        rf"|heart (?:size )?(?:is )?not (?:\w+ )?(?:enlarged|increased)"
    ),
    "enlarged_mediastinum": (
        rf"{_MEDIASTINUM} (?:(?!abnormal|widen|enlarg|lung)[\w/,-]+ ){{0,7}}?{_NORMAL}"
        rf"|normal {_W}{{0,4}}?{_MEDIASTINUM}"
        rf"|(?:heart|mediastinum) and (?:heart|mediastinum) (?:\w+ ){{0,2}}?normal"
    ),
}
_CUES = (
    r"(?P<pseudo>(?:no|without|not) (?:\w+ ){0,2}?(?:interval )?(?:change|increase|decrease|worsening|improvement"
    r"|progression)\w*(?: in| of)?"
    r"|not (?:\w+ )?changed|not only|no doubt|no longer required|gram negative)"
    r"|(?P<unc_after>(?:can ?not|could not|can't|not)(?: be)?(?: \w+){0,2}? (?:excluded|ruled out)"
    r"|(?:is|are|remains?) (?:also )?(?:possible|suspected|questioned|likely|probable|a consideration|of concern)|\?)"
    r"|(?P<neg_after>(?:is|are|was|were|has been|have been)? ?(?:not|no longer) (?:\w+ ){0,2}?"
    r"(?:seen|identified|present|visuali[sz]ed|evident|appreciated|demonstrated|detected|noted|apparent|observed"
    r"|visible)"
    r"|(?:has|have|had) (?:\w+ )?(?:resolved|cleared|disappeared)|\bresolved\b(?! (?!since|on\b|in\b|from|when|with"
    r"|compared|at\b)\w)|(?:is|are) (?:absent|excluded|ruled out|unlikely)|unlikely"
    r"|(?:been|was|were|is|are) (?:\w+ )?removed|: (?:none|absent|no)\b)"
    r"|(?P<evoke>to suggest\w*|suggest\w*|suspicious(?: for)?|concern\w*(?: for)?|to indicate|worrisome(?: for)?)"
    r"|(?P<unc>(?:can ?not|could not|can't|unable to)(?: be)?(?: \w+){0,2}? (?:exclude|rule out)|possib\w+|\bmay\b"
    r"|\bmight\b|\bcould\b"
    r"|likely|probabl\w*|suspect\w*|suspicion|favou?r\w*|question\w*|differential|borderline|equivocal|presum\w+"
    r"|\bconsider(?:ed|ation)?\b"
    r"|if clinical|potential\w*)"
    r"|(?P<either>\bversus\b|\bvs\b\.?)"
    r"|(?P<neg>\bno\b|\bnot\b|\bwithout\b|negative for|(?:free|clear(?: bilaterally)?) of|absence of|\babsent\b"
    r"|rather than|resolution of"
    r"|\bresolved\b|removal of|\bnor\b|\bneither\b|\bnever\b|excludes?|instead of|clearing of|interval clearance of"
    r"|denies)"
    r"|(?P<stop>\bbut\b|however|although|\bthough\b|otherwise|there (?:is|are|was|were|has|have)|\bwhich\b|while"
    r"|whereas|except(?: for)?"
    r"|other than|aside from|apart from|besides|and (?:there|the)\b|, (?:there|the)\b|, (?:is|are)\b|\bi see\b)"
)

ENGLISH = Lexicon(
    language="en",
    blanks=_C(
        r"peri?cardial effusions?|joint effusions?|(?:soft tissue|subcutaneous|peripheral|bone marrow|cerebral) edema"
        r"|breast (?:mass|implant)\w*"
        r"|mass effect|bony? (?:lesion|densit)\w*|(?:vertebral|compression)(?: body)? (?:\w+ )?collapse"
        r"|collapsed vertebra\w*"
        r"|kerley b? ?lines?|eustachian tube|(?:calcified|metallic|bone|bony) densit\w+|soft tissue densit\w+"
        r"|nipple shadow\w*"
        r"|skin fold\w*|port of|\bmarkings tube|(?:cardiac|heart) (?:and|or) (?:pulmonary vascular\w+)(?= enlarge)"
        r"|history of [^.;,]*"
        r"|aort\w+ (?:\w+ ){0,3}?enlarged|infection control|(?:evaluation|evaluate|assess\w*) (?:for|of) [^.;,]*"
        r"|granulomatous (?:infection|disease)"
    ),
    phrases={name: _C(pattern) for name, pattern in _PHRASES.items()},
    normals={name: _C(pattern) for name, pattern in _NORMALS.items()},
    globally_normal=_C(
        r"no (?:\w+ ){0,2}?(?:acute|active|significant) (?:\w+ ){0,2}?(?:cardio-?(?:pulmonary|respiratory|thoracic)"
        r"|cardiac or pulmonary|intrathoracic|"
        r"chest|thoracic) (?:\w+ ){0,2}?(?:process\w*|disease|abnormalit\w+|findings?|patholog\w+|illness)"
        r"|(?:normal|unremarkable|negative) (?:\w+ ){0,3}?(?:chest|radiograph|examination|exam|study|x-?ray|cxr)\b"
        r"|(?:chest|exam\w*|radiograph) (?:is )?(?:normal|negative|unremarkable)\b"
        r"|no (?:acute|active) (?:disease|abnormalit\w+|findings?|process)\b"
    ),
    cues=_C(_CUES),
    clause=_C(r"[;:]|, but | but |, however|\. "),
    separator=_C(
        r"[,;:()]|\b(?:and|with|or|but|reflecting|representing|likely|may|consistent|compatible|suggesting|suggestive"
        r"|due|versus|vs"
        r"|is|are|was|were|causing|without|no|adjacent|associated|overlying)\b"
    ),
    sides={
        "bilateral": _C(
            r"\bbilateral\w*|\bbi-?(?:basilar|basal|apical|lateral\w*)|\bboth\b|\bbases\b|\bapices\b|(?:in|throughout"
            r"|within|involving) (?:the )?lungs\b|right (?:and|greater than|or) left|left (?:and|greater than|or) right"
        ),
        "left": _C(r"\bleft\b(?! ventric| atri| heart|ward)|\blingula\w*|\bl\.? lung|\blll\b|\blul\b|\bleft-sided"),
        "right": _C(r"\bright\b(?! ventric| atri| heart|ward)|\brll\b|\brul\b|\brml\b|\bmiddle lobe"),
    },
    severities=(
        (
            "severe",
            _C(
                r"\b(?:severe\w*|large|larger|marked\w*|extensive\w*|massive\w*|grossly|greatly|prominently"
                r"|diffuse\w*|dense|sizable|substantial)\b"
            ),
        ),
        ("moderate", _C(r"\b(?:moderate\w*|medium)\b")),
        (
            "mild",
            _C(
                r"\b(?:mild\w*|small|smaller|minimal\w*|slight\w*|tiny|trace|minor|faint|subtle|nondisplaced"
                r"|undisplaced|minute)\b"
            ),
        ),
    ),
    list_item=_C(
        r"(?:,|\band|\bwith)\s+(?:(?:a|an|the|also)\s+)?(?:(?:stable|mild\w*|small|moderate\w*|severe\w*|minimal"
        r"|slight\w*|large|trace|chronic|unchanged|persistent|"
        r"improv\w+|left|right|bilateral|bibasilar|low|normal|increased|patchy|streaky|status)\b)"
    ),
    predicates=_C(r"\b(?:is|are|appears?|remains?)\b|size"),
)
