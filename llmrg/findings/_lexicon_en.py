"""What English reports call the CheXpert findings (lower case), and the statements that deny them."""

from __future__ import annotations

__all__ = ["BLANKS", "GLOBALLY_NORMAL", "NORMALS", "PHRASES"]

# Each entry: beginnings of words without which the pattern cannot match, and the pattern.
_Entry = tuple[str, str]

_W = r"(?:[\w/'-]+,? )"  # a word and its space
_BE = r"(?:is |are |was |were |appears? |remains? |has been |to be |)"
_HEART = (
    r"(?:\bheart(?! failure| valve)|cardiac(?! (?:and|or|\w+ and|\w+ or) mediast| mediast)"
    r"(?: silhouette| shadow| size| contours?| outline| border| configuration)?|cardio-?pericardial silhouette"
    r"|cardio-?thoracic ratio)"
)
_MEDIASTINUM = r"(?:cardio[- ]?(?:vascular )?mediastin\w+|(?:superior |upper )?mediastin\w+)"
_NORMAL = (
    r"(?:normal(?!ly)|unremarkable|within (?:[\w-]+ ){0,2}?(?:limits?|range)|not (?:\w+ )?(?:widened|enlarged"
    r"|increased)"
    r"|nonenlarged|not (?:\w+ )?abnormal)"
)
_BIG = (
    r"\b(?:enlarged|enlargement|enlarging|increased?|large|larger|big|prominent|prominence|widened|dilated|dilatation)"
)
_STOP = r"(?!normal|unremarkable|lung|mediast|limits|no |not |without |aort|but |there |costo|pleur|trachea|vascul)"

PHRASES: dict[str, _Entry] = {
    "increased_lung_markings": (
        "marking",
        rf"(?:increas\w*|prominen\w*|accentuat\w*|coarse\w*|thickened|exaggerated|crowded) {_W}{{0,3}}?markings"
        rf"|markings (?:are |is |appear |appears |remain |remains )?{_W}{{0,3}}?(?:increased|prominent|accentuated"
        r"|coarsened|coarse|exaggerated)",
    ),
    "patchy_opacity": (
        "opac opaq infiltr haz ground airspace air alveolar densit reticul interstitial shadow veil white",
        r"opaci\w+|opaque|infiltrat(?:e|es|ion|ions|ive changes?)\b|hazin\w+|\bhaze\b|\bhazy\b(?! opac)|ground[- ]glass"
        r"(?! opac)|(?:airspace|air[- ]space|alveolar) (?:disease|process)\w*"
        r"|(?:increased|ill-defined|patchy|streaky|hazy|subtle|faint|vague|airspace|air space|retrocardiac|perihilar"
        r"|parenchymal|confluent|alveolar|interstitial|basilar|bibasilar) (?:(?!nodul|calci|metal|bon"
        r"|mass)[\w-]+ ){0,2}?densit(?:y|ies)"
        r"|densit(?:y|ies) (?:is |are )?increased"
        r"|reticula\w*|reticulonodular\w*|interstitial infiltrat\w+"
        r"|(?<!nipple )(?<!breast )(?<!cardiac )(?<!heart )(?<!thymic )(?<!vascular )\bshadow(?:ing|s)\b|white-?out",
    ),
    "consolidation": ("consolid", r"\b(?:non-?)?consolidat\w*"),
    "nodule": (
        "nodul fibronod mass les cavit neoplas malign metasta carcino tumo cancer coin bronchogenic",
        r"(?<!reticulo)nodul\w*|\bmass(?:es)?\b|\bmass-?like\b"
        r"|(?:lung|pulmonary|nodular|cavitary|cavitating|parenchymal|lobe|coin|mass) lesions?"
        r"|\bcavit(?:ary|ations?|ating)\b(?! lesion)"
        r"|(?<!thoracic )(?<!pleural )(?<!chest )(?<!abdominal )(?<!medullary )\bcavit(?:y|ies)\b|neoplas\w+"
        r"|(?:lung|pulmonary|primary|bronchogenic) malignan\w+|(?:lung|pulmonary) metasta\w+|metasta(?:sis|ses)\b"
        r"|metastatic (?:nodul|lesion|deposit)\w*|carcinoma\w*|(?:lung|bronchogenic|pulmonary) cancer|tumou?rs?\b",
    ),
    "atelectasis": (
        "atelec collaps",
        r"atelecta\w*|\bcollapsed?\b(?= (?:of the )?(?:\w+ ){0,3}?(?:lung|lobe|segment))|(?<!is )\bcollapse\b"
        r"|(?:lung|lobe|lobes) (?:is |are |has |remains? )?(?:\w+ )?collapsed",
    ),
    "edema": (
        "edema oedema congest chf failure cephal engorg redistrib overload",
        r"o?edema(?:tous)?\b|(?:pulmonary|vascular|venous|central|hilar|perihilar|interstitial|circulatory)"
        r" (?:vascular |venous |interstitial )?congestion|congestion of the (?:\w+ )?(?:pulmonary|vessel|vascul)\w*"
        r"|congestive (?:heart |cardiac )?(?:failure|changes?)|congested (?:\w+ )?(?:vessels|vasculature|lungs)"
        r"|(?:vessels|vasculature|vascularity|lungs) (?:is|are|appears?) (?:\w+ )?congested|\bcongestion\b"
        r"|(?:heart|cardiac|ventricular) failure|\bchf\b|cephali[sz]\w+|vascular engorgement|engorge\w+ \w* ?vessels"
        r"|(?:without|no) (?:\w+ )?failure\b|\bfailure\b(?=\.|$)",
    ),
    "pneumothorax": (
        "pneumothora hydropneumothora haemopneumothora hemopneumothora ptx pleural",
        r"\w*pneumothora\w*|pleural air(?: collections?)?|\bptx\b",
    ),
    "pleural_effusion": (
        "effusion pleural hydro haemo hemo empyema fluid blunt costophrenic sulc pyothorax",
        r"effusions?|pleural (?:fluid|liquid|collections?)|(?:hydro|h(?:a)?emo)-?(?:pneumo)?-?thora\w*|empyemas?"
        r"|pyothorax"
        r"|(?:subpulmonic|loculated|layering|layered|fissural|intrafissural) (?:\w+ )?fluid"
        r"|fluid (?:is |seen |tracking |\w+ )?(?:in|within|along) (?:the )?(?:\w+ ){0,2}?(?:pleural|fissures?)"
        r"|(?:pleural (?:spaces?|cavit(?:y|ies)|recess(?:es)?)|costophrenic (?:angles?|sulc\w+|recess\w*))"
        r" (?:(?!blunt|but|there|opac|air)[\w-]+ ){1,5}?fluid\b(?! (?:level|status|overload|balance))",
    ),
    "blunting": (
        "blunt costophrenic",
        rf"blunt\w* {_W}{{0,5}}?(?:costophrenic(?: angles?| sulc\w+| recess\w*)?|sulc\w+|\bangles?|recess\w*"
        rf"|\bcpa?s?\b)"
        rf"|(?:costophrenic|sulc\w+|\bcp angles?) {_W}{{0,6}}?(?:blunt\w*|effac\w*|obliterat\w*)"
        rf"|(?:effac\w+|obliterat\w+) {_W}{{0,4}}?costophrenic(?: angles?| sulc\w+)?",
    ),
    "pleural_thickening": (
        "pleur cap fibrothora apical",
        r"(?:\b(?:bi)?(?:pleural|pleura)|pleuro-?parenchymal|pleural-based) (?:and parenchymal |or parenchymal )?"
        r"(?:[\w-]+[ /]){0,2}?(?:thick\w*|adhesions?|calcifi\w*|plaques?|plaquing|scar\w*|fibrosis|irregularit\w+)"
        rf"|thicken\w* {_W}{{0,4}}?pleura\w*|calcified pleura\w*|fibrothorax"
        r"|apical (?:pleural )?capp?(?:s|ing)?\b|pleural capp?(?:s|ing)?\b"
        rf"|calcifi\w* (?:of|in|along|involving) the {_W}{{0,2}}?pleura\w*|pleura\w* (?:is|are|appears?) (?:\w+ )?"
        r"(?:thickened|calcified)",
    ),
    "cardiomegaly": (
        "cardiomegal heart cardiac cardio ctr",
        rf"cardiomegaly|borderline {_W}{{0,2}}?(?:heart|cardiac)(?: size| silhouette| enlargement)?"
        rf"|(?:cardiac|heart) enlargement|{_BIG} {_W}{{0,2}}?(?:of the |of |in )?(?:the )?(?:heart\b|cardiac\b)"
        r"(?! apex| border| and mediast| or mediast| mediast| failure)(?: size| silhouette| shadow| contours?)?"
        rf"|{_HEART},? (?:{_STOP}[\w/,-]+ ){{0,6}}?(?:enlarged\b|enlargement|increased?\b|large\b|big\b|borderline\w*"
        rf"|cardiomegal\w+|prominent(?!ly)(?= in size|\.|,|$))"
        rf"|{_HEART}(?: size)? {_BE}(?:at )?(?:\w+ )?(?:upper limits?(?: of)?(?: normal)?|top[- ]normal|normal) (?:or"
        rf"|to)"
        r" (?:[\w-]+ ){0,2}?enlarged"
        r"|(?:cardio-?thoracic|c/t) ratio (?:[\w/]+ ){0,3}?(?:0?\.(?:5[1-9]|[6-9]\d?)|(?:5[1-9]|[6-9]\d) ?%|(?:above"
        r"|over"
        r"|greater than|more than|exceeds|exceeding) (?:0?\.5|50 ?%))",
    ),
    "enlarged_mediastinum": (
        "mediast cardiomediast cardio-mediast cardio",
        rf"{_BIG} {_W}{{0,2}}?(?:of the )?{_W}{{0,2}}?{_MEDIASTINUM}(?! (?:lymph|node|mass|fat))"
        rf"|widening of the {_W}{{0,2}}?{_MEDIASTINUM}|{_MEDIASTINUM} (?:widening|enlargement|prominence)"
        rf"|{_MEDIASTINUM} (?:{_STOP}[\w/-]+ ){{0,5}}?(?:widen\w*|enlarge(?:d|ment)|prominen(?:t|ce)\b(?! lymph"
        rf"| vasc))",
    ),
    "pneumonia": (
        "pneumonia broncho infect",
        r"pneumonias?\b|broncho-?pneumonias?|(?<!non-)(?<!non)infection\b|infections|infectious(?= (?:\w+ )?(?:process"
        r"|etiolog|aetiolog|infiltr|consolid|pneumon|opac|or inflam|disease|change|cause|airspace|or \w+ process))"
        r"|infective(?= \w+)|infected\b",
    ),
    "rib_fracture": ("fract broken", r"fractur\w*|fx\b|broken (?:\w+ ){0,2}?(?:ribs?|clavicle)"),
    "support_device": (
        "tube cath picc line pacem pacer pacing icd aicd defib port mediport lead drain stent prosth valve hardware "
        "fixat wire intub device swan shunt trach balloon ett ngt ogt dobhoff dobbhoff iabp lvad pigtail screw plate "
        "rod "
        "arthropl cannul filter stimulat loop implant appar coil sheath peg clip gastrost ecmo peripherally occlud "
        "electrode extub uac uvc cvc pacemak vagal cerclage reservoir",
        r"\btubes?\b|catheters?|\bpicc\b|(?:central|venous|jugular|subclavian|ij|arterial|picc|monitoring|support|ekg"
        r"|ecg|umbilical|femoral|dialysis|infusion|vascular|indwelling) lines?\b|\blines? (?:and|or) tubes?"
        r"|\blines? tip"
        r"|\blines?(?= (?:tip|terminat|ends|in place|placement|insertion))|pacemakers?|pacers?\b|pacing|\ba?icds?\b"
        r"|defibrillators?|port-?a-?cath\w*|mediport|chemoport|infusaport|\bport\b(?! of)|(?:pacer|pacemaker|pacing"
        r"|ventricular|atrial|ecg|ekg|icd|monitor\w*|telemetry|cardiac|dual|overlying|external|electrode|three|two"
        r"|single) (?:\w+ )?leads\b|\bleads?(?= (?:tips?|terminat|in |are|over|project|overl|extend|ends))"
        r"|\bdrains?\b|\bstents?\b|prosthe(?:tic|sis|ses)|valve (?:replacement|prosthesis|repair)|valvular prosthes\w+"
        r"|(?:mitral|aortic|tricuspid|artificial|mechanical|bioprosthetic) valve(?= (?:ring|in|is|prosth|repl))"
        r"|\bhardware\b|fixation|\bplates?\b(?![- ]like)|\bscrews?\b|\brods\b|arthroplast\w+"
        r"|(?:sternal|sternotomy|cerclage|wire) (?:sutures?|wires?|cerclage)|\bwires\b|(?<!ex)intubat\w+"
        r"|(?:support|medical|monitoring|assist|implanted|cardiac|closure|electronic|pacing|implantable|occluder"
        r"|venous access|access) (?:\w+ )?devices?|swan-?ganz|\bshunt\b|tracheostomy|balloon pump|\biabp\b|\blvad\b"
        r"|\bett\b|\bu[av]c\b|\bcvc\b|\b[no]gt\b|\bdobb?hoff\b|pigtail|cannulae?s?\b|\b(?:ivc|vena cava) filter"
        r"|stimulators?|loop recorder"
        r"|embolization coils?|\bsheath\b|gastrostomy|\becmo\b|(?:septal )?occluder|electrodes?|apparatus"
        r"|support hardware",
    ),
}

NORMALS: dict[str, _Entry] = {
    "support_device": ("extub", r"extubat\w+"),
    "increased_lung_markings": (
        "marking vascul",
        rf"(?:vascularity|vasculature|markings|vascular pattern) (?:is |are |appears? |remains? )?{_W}{{0,3}}?{_NORMAL}"
        rf"|normal {_W}{{0,1}}?(?:vascular\w*|vasculature|markings|lung markings)(?: pattern)?",
    ),
    "patchy_opacity": (
        "lung clear pulmon parenchym air normal unremark",
        r"\blungs?(?: fields?| zones?| parenchyma| bases| apices)? (?:(?!no\b|not\b|without\b|costo|in\b|of\b|volume"
        r"|disease|"
        r"marking|silhou|vascul|hypo|heart|mediast)[\w/,-]+ ){0,7}?(?:clear\b(?! of)|unremarkable"
        r"|normal(?:ly)?\b(?! vol|ized))"
        r"|clear (?:\w+ )?(?:lungs?|chest)\b|\b(?:normal|unremarkable) (?:appearing |appearance of the )?lungs?\b"
        r"(?! vol| vasc| mark)"
        r"|lung (?:volumes|fields) (?:are )?normal and clear"
        r"|(?:normal|unremarkable) (?:appearance of the )?(?:heart|cardi\w+|mediast\w+)[\w, -]{0,40}?\blungs?\b(?! vol"
        r"| base)"
        r"|no (?:\w+ ){0,2}?(?:active|acute) (?:\w+ )?(?:lung|pulmonary|parenchymal|airspace|air space) (?:disease"
        r"|abnormalit\w+|process\w*|findings?|infiltrat\w+|patholog\w+|change)"
        r"|(?:no|without) (?:focal |acute )?(?:lung|pulmonary|parenchymal) (?:parenchymal )?(?:abnormalit\w+|disease)"
        r"|lungs? (?:are |is )?(?:without|free of) (?:focal|acute|significant)? ?(?:abnormalit\w+|disease"
        r"|focal disease)",
    ),
    "pleural_effusion": (
        "costophrenic pleur sulc",
        r"(?:costophrenic|\bcp) (?:angles?|sulc\w+|recess\w*|sinus\w*)(?:(?! not\b(?! blunt))[^.;]){0,20}?"
        r"(?:sharp|clear|preserved|intact"
        r"|normal|unremarkable|well[- ]defined|free|not blunted)|(?:sharp|clear|normal|preserved) (?:\w+ ){0,2}?"
        r"(?:costophrenic|cp) \w+|pleural (?:spaces?|cavit\w+|surfaces?) (?:are |is |appear )?(?:\w+ )?(?:clear|normal"
        r"|unremarkable)|no (?:\w+ ){0,2}?pleural (?:disease|abnormalit\w+|process)",
    ),
    "cardiomegaly": (
        "heart cardiac cardio mediast",
        rf"{_HEART}(?:,)? (?:(?!enlarged|enlargement|abnormal|lung|borderline|increased|but|cardiomeg|there)"
        rf"[\w/,-]+ ){{0,9}}?{_NORMAL}(?! (?:or|to) (?:\w+ ){{0,2}}?enlarged)"
        rf"|(?:normal|unremarkable)[ -](?:sized? )?{_W}{{0,2}}?(?:heart\b|cardiac\b)(?! mediast| and mediast|-mediast)"
        r"(?: size| silhouette| contours?)?"
        rf"|cardiac,? (?:and |or )?(?:\w+ (?:and|or) )?mediastin\w+ (?:[\w-]+ ){{0,4}}?{_NORMAL}"
        rf"|(?:normal|unremarkable) (?:\w+ )?cardiac (?:and|or) mediastinal"
        rf"|(?:heart|mediastinum),? (?:and|or) (?:\w+ )?(?:heart|mediastin\w+) (?:\w+ ){{0,4}}?{_NORMAL}"
        rf"|(?:normal|unremarkable) (?:\w+ )?heart|\bheart and lungs (?:are |appear )?(?:\w+ )?{_NORMAL}"
        r"|(?:cardio-?thoracic|c/t) ratio (?:[\w/]+ ){0,3}?(?:0?\.(?:[0-4]\d?|50?)\b|(?:[1-4]\d|50) ?%|(?:below|under"
        r"|less than) (?:0?\.5|50 ?%))"
        rf"|{_HEART}(?: size)? {_BE}(?:\w+ ){{0,2}}?(?:top[- ]normal|upper (?:limits? (?:of )?)?normal|small)\b"
        r"(?! (?:or|to) (?:\w+ ){0,2}?enlarged)"
        r"|\bnot? (?:\w+ )?(?:enlarged|increased) heart",
    ),
    "enlarged_mediastinum": (
        "mediast cardio",
        rf"{_MEDIASTINUM} (?:(?!abnormal|widen|enlarg|lung|but|not|there)[\w/,-]+ ){{0,8}}?{_NORMAL}"
        rf"|(?:normal|unremarkable) {_W}{{0,4}}?{_MEDIASTINUM}|{_MEDIASTINUM} (?:\w+ ){{0,3}}?not (?:\w+ )?widened"
        rf"|(?:heart|mediastinum),? and (?:\w+ )?(?:heart|mediastinum) (?:\w+ ){{0,3}}?{_NORMAL}"
        rf"|cardiac,? (?:and |or )?(?:\w+ (?:and|or) )?mediastin\w+ (?:[\w-]+ ){{0,4}}?{_NORMAL}",
    ),
}

# What is left of an illness that is over: pleural thickening from prior empyema.
_SEQUEL = (
    r"(?:from|after|following|(?:due|related|secondary|attribut\w+|owing|subsequent|relating) to|caused by"
    r"|as a (?:result|consequence) of|because of|(?:sequelae?|residu\w+|remnants?|result|consequence|effects?|legacy"
    r"|drainage|decortication|evacuation|treatment|history) (?:of|from))"
)
_ARTICLE = r"(?:an? |the |her |his |their |(?:the )?patient's )"
_FORMERLY = (
    r"(?:prior|previous(?:ly (?:treated|known|healed|drained))?|old|remote|earlier|past|former|childhood|distant|healed"
    r"|treated|resolved)"
)
_ADJECTIVES = (
    r"(?:(?!represent|reflect|is |are |has |have |and |or |with |exams?\b|stud|films?\b|radiograph|imag|scan|ct |now "
    r"|show|likely|suggest|may |could |chronic |persist|ongoing|current|granulom)[\w/-]+ ){0,3}?"
)
_ILLNESS = (
    r"(?:empyemas?|(?:broncho)?pneumonias?|infections?|(?:pleural )?effusions?|h(?:a)?emothora(?:x|ces)"
    r"|(?:hydro)?pneumothora(?:x|ces)|(?:pulmonary )?edema|cancers?|carcinomas?|chest tubes?|drains?|catheters?)"
)

# Words that look like a finding and are none.
BLANKS: _Entry = (
    "peri joint soft subcut periph bone bony cerebral breast mass vertebral compression collapsed kerley eustach "
    "calcif "
    "metal nipple skin port aort infection evalu assess histor granulom indicat rule exclu symptom sign correl concern "
    "suspicion risk medullary lead wire screw hardware ascending abdominal laryng limit obscur preclud airway tracheal "
    "heart cardiac treat lymph thyroid sternal fractur interlobular bilateral could may might lucen family prior "
    "identif look docum charac confirm prior previous old remote earlier past former childhood distant healed treated "
    "resolved ago child",
    r"peri-?cardial (?:\w+ )?effusions?|joint effusions?|(?:soft tissue|subcutaneous|peripheral|bone marrow|cerebral"
    r"|laryngeal|subglottic|leg|pedal) o?edema|breast (?:mass|implant|tissue|shadow)\w*|mass effect"
    r"|(?:bony?|osseous|rib|sclerotic|lytic) (?:lesion|densit|metasta)\w*|soft tissue densit\w+"
    r"|(?:vertebral|compression)(?: body)? (?:\w+ )?collapse|collapsed vertebra\w*|(?:tracheal|airway) collapse"
    r"|eustachian tube|nipple shadow\w*|skin ?folds?"
    r"|port of|infection control|granulomatous infection"
    r"|(?<!no )(?<!any )(?:known |personal |family |past |prior |remote |clinical )?history of [^.;,]*"
    r"|\bhistory ?: ?[^.;]*"
    r"|(?:to |for |further )?(?:evaluation|evaluate|assess\w*) (?:for|of) (?:the )?(?:possible |any )?[^.;,]*"
    r"|(?<!difficult )(?<!hard )(?<!impossible )(?<!possible )(?<!unable )(?<!not )(?<!easy )to (?:exclude|rule out)"
    r" [^.;,]*|to (?:identify|look for|document|characteri[sz]e|confirm) [^.;,]*|^(?:please )?(?:rule out"
    r"|r/o) [^.;,]*|indications?: [^.;]*"
    r"|(?:clinical )?(?:symptoms|signs and symptoms) of [^.;,]*|correlat\w+ (?:\w+ ){0,6}?(?:for|with) [^.;,]*"
    r"|if (?:there (?:is|are|remains) )?(?:[\w-]+ ){0,3}?(?:concern|suspicion|question) (?:for|of) [^.;,]*"
    r"|(?:clinical|continued|persistent) (?:concern|suspicion) (?:for|of) [^.;,]*|risk (?:factors? )?(?:for|of) [^.;,]*"
    r"|(?:sternal|pacemaker|catheter|plate|leads?|wires?|screws?|hardware)\b[^.;]*?\b(?P<part>fractured)\b"
    r"|fractur\w+ (?:of (?:the )?)?(?:\w+ ){0,3}?(?:wires?|leads?|screws?|sternotomy|xxxx xxxx)"
    r"|(?:obscures?|obscured|limits?|preclud\w+) (?:the )?(?:evaluation|assessment|detection) (?:for|of) [^.;,]*"
    r"|(?:could|may|might) (?:obscure|mask|hide) [^.;,]*|treat(?:ed|ment) for [^.;,]*"
    r"|(?:fractures?|pneumothora\w+|nodules?|effusions?|infiltrates?) (?:may|might|could) (?:not be|be (?:obscured"
    r"|missed|hidden|masked|occult|radiographically occult))[^.;,]*"
    r"|(?:lymph node|nodal|lymphadenopath\w+|thyroid) (?:metasta\w+|nodules?)|masectomy"
    rf"|{_SEQUEL} {_ARTICLE}?{_FORMERLY} {_ADJECTIVES}(?P<past>{_ILLNESS})\b"
    r"(?! (?:is|are|has|persist\w*|remain\w*)\b)"
    rf"|(?:had|suffered|underwent) (?:an? |the )?[^.;,]{{0,40}}? (?:years?|months?|weeks|decades)"
    r" (?:ago|previously|earlier)"
    rf"|{_ILLNESS} (?:in childhood|as a child|in infancy"
    r"|(?:\w+ ){0,2}(?:years|decades) (?:ago|earlier|previously|before))",
)

# Statements that nothing at all is wrong.
GLOBALLY_NORMAL: _Entry = (
    "no normal unremarkable negative without nothing",
    r"(?:no|without)(?: \w+){0,3}? (?:acute|active|significant|radiographic|evidence|suspicious"
    r"|gross) (?:[\w/-]+ ){0,3}?"
    r"(?:cardio-?\w*(?:pulmonary|respiratory|thoracic)|cardiac or pulmonary|cardiac,? pulmonary|heart or lung"
    r"|intra-?thoracic|chest|thoracic|cardiac or active pulmonary)(?! wall| spine) (?:[\w/-]+ ){0,3}?"
    r"(?:process\w*|diseases?|abnormalit\w+|findings?|patholog\w+|illness\w*|changes?|problem)"
    r"|no (?:evidence of )?(?:intra-?thoracic|cardio-?pulmonary|chest) (?:process\w*|disease|abnormalit\w+|patholog\w+)"
    r"|\b(?<!non-)(?:normal|unremarkable|negative) (?:(?!lung|heart|cardiac|vascul|mediast|size|appear|bony|oss|for)"
    r"[\w,-]+ ){0,4}?(?:chest|radiographs?|examination|exam|study|x-?rays?|x-xxxx|cxr|films?)\b(?! wall)"
    r"|(?:chest|exam\w*|radiographs?|study|films?|x-?rays?)(?: \w+)? (?:is |are |appears? |within )?(?:entirely "
    r"|otherwise "
    r"|)(?:normal|negative|unremarkable)\b(?! for)"
    r"|no (?:\w+ ){0,2}?(?:acute|active|significant) (?:disease|abnormalit\w+|findings?|process|patholog\w+)\b"
    r"|no abnormalit(?:y|ies)(?: (?:is|are|detected|seen|identified|demonstrated)|\.|$)"
    r"|no (?:radiographic )?evidence of (?:acute |active )?(?:disease|abnormality)\b"
    r"|^(?:normal|negative|unremarkable)\.?$",
)
