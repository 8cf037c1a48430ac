"""What English reports call the observations beyond the CheXpert classes (lower case), and what denies them."""

from __future__ import annotations

__all__ = ["WIDER_NORMALS", "WIDER_PHRASES"]

# Each entry: beginnings of words without which the pattern cannot match, and the pattern.
_Entry = tuple[str, str]

_W = r"(?:[\w/'-]+ )"  # a word and its space
_TO = r"(?: to(?:wards?)? the (?:left|right))?"
_DIAPHRAGM = r"(?:hemi-?)?diaphragm\w*"
_DEGENERATION = r"(?:degenerat\w+|spondyl\w+|osteophyt\w*|spurring|arthritic|hypertrophic)"

WIDER_PHRASES: dict[str, _Entry] = {
    "emphysema": (
        "emphysem bulla bullo bleb copd obstructive",
        r"(?<!subcutaneous )(?<!mediastinal )(?<!surgical )(?<!tissue )(?<!wall )\bemphysem\w*|\bbullae?\b|\bbullous\b"
        r"(?! emphysem)|\bblebs?\b|\bcopd\b|chronic obstructive (?:pulmonary|lung|airways?) disease",
    ),
    "hyperinflation": (
        "hyper over air flat",
        r"hyper-?(?:inflat|expan|aerat|disten|lucen)\w*|over-?(?:inflat|expan|aerat|disten)\w*|\bover (?:expan"
        r"|inflat)\w*"
        rf"|air[- ]trapping|flatten\w* {_W}{{0,4}}?{_DIAPHRAGM}|{_DIAPHRAGM} (?:is |are "
        rf"|appears? )?{_W}{{0,2}}?flatten\w*",
    ),
    "low_lung_volume": (
        "low volum hypo poor shallow subopt under inspirat inflat expan",
        r"(?:low|reduced|small|diminished|decreased) (?:inspiratory |lung |bilateral lung )?volumes?"
        rf"|volumes? (?:are |is |remains? |appear )?{_W}{{0,2}}?(?:low|reduced|small|decreased|diminished)|volume loss"
        r"|loss of (?:lung )?volume|hypo-?(?:inflat|aerat|ventilat|expan)\w*|under-?(?:inflat|expan|aerat)\w*"
        r"|(?:poor|shallow|low|suboptimal|limited|incomplete|reduced) (?:degree of )?(?:inspirat\w+|inflation"
        r"|expansion)",
    ),
    "calcification": (
        "granulom calcif",
        r"granulom\w+(?: (?:disease|process|change|calcification)s?)?"
        rf"|calcif\w+ {_W}{{0,3}}?(?:nodules?|foc(?:us|i)|lesions?|densit\w+|hilar|hilum|hila\b|lungs?\b|parenchym\w*"
        rf"|lobes?"
        r"|lymph|nodes?)"
        rf"|(?:lung|pulmonary|parenchymal|hilar|nodal|perihilar|mediastinal) {_W}{{0,2}}?calcif\w+",
    ),
    "scarring": (
        "scar fibro cicatri",
        r"(?<!pleural )\bscar(?:s|ring|red)?\b|(?<!cystic )\bfibro(?:sis|tic|nodular|calcific)\b|cicatri\w*",
    ),
    "interstitial_changes": (
        "interstit reticul honey septal kerley ild interlob",
        rf"interstitial {_W}{{0,2}}?(?:changes?|patterns?|diseases?|markings|prominence|thickening|opacit\w+|densit\w+"
        r"|abnormalit\w+|process\w*|fibrosis|infiltrat\w+)|\breticul(?:ar|ation|ations|o\w+)\b|honeycomb\w*"
        r"|(?:interlobular )?septal (?:thickening|lines)|kerley \w*|\bild\b|interstitium (?:is )?(?:\w+ )?prominent",
    ),
    "cavity": (
        "cavit",
        r"\bcavit(?:ary|ations?|ating)\b"
        r"|(?<!thoracic )(?<!pleural )(?<!chest )(?<!abdominal )(?<!medullary )\bcavit(?:y|ies)\b",
    ),
    "bronchitis": (
        "bronchi peribronch airway bronchial",
        r"bronchi(?:tis|olitis)\b|(?:peri-?)?bronchial (?:wall )?(?:cuffing|thicken\w*)|(?:reactive|small"
        r"|large) airways?"
        r" disease",
    ),
    "bronchiectasis": ("bronchiect", r"bronchiecta\w+"),
    "tuberculosis": ("tubercul tb ghon miliary", r"tubercul(?:osis|ous)|\btb\b|ghon \w+|\bmiliary\b"),
    "hilar_enlargement": (
        "hilar hila hilum hili bihilar",
        rf"(?:hil(?:ar|a|um|i)|bihilar)\b(?! and medias) {_W}{{0,3}}?(?:enlarge\w*|prominen\w+|fullness|full\b|bulky"
        r"|(?:lymph)?adenopathy|mass)"
        rf"|(?:enlarged|prominent|bulky|full|enlargement|prominence|fullness) {_W}{{0,4}}?(?:hila|hilum|hilar|hili)\b",
    ),
    "pneumomediastinum": ("pneumomed mediast", r"pneumo-?mediastin\w+|mediastinal (?:air|emphysema|gas)"),
    "subcutaneous_emphysema": (
        "subcut soft chest surgical",
        r"(?:subcutaneous|soft tissue|chest wall) (?:emphysema|air|gas)|surgical emphysema",
    ),
    "free_air": (
        "free pneumoper air subdiaph gas",
        r"free (?:intra-?peritoneal |intra-?abdominal |sub-?diaphragmatic |peritoneal )?(?:air|gas)\b|pneumoperiton\w+"
        rf"|(?:air|gas) (?:is seen )?(?:under|beneath|below|underneath) (?:the )?(?:\w+ )?{_DIAPHRAGM}"
        r"|subdiaphragmatic (?:air|gas)",
    ),
    "mediastinal_shift": (
        "shift deviat displac",
        rf"(?:mediastinal|tracheal|cardiac|midline|heart) (?:shift|deviation|displacement)(?:ed)?{_TO}"
        rf"|(?:mediastin\w+|trachea|heart|cardiac silhouette) (?:is |are |has |been )*(?:\w+ )?(?:shifted|deviated"
        rf"|displaced)"
        rf"{_TO}|(?:shift|deviation|displacement) of the (?:\w+ )?(?:mediastin\w+|trachea|heart){_TO}"
        r"|(?:left|right)ward (?:mediastinal |tracheal )?(?:shift|deviation)(?: of the \w+)?",
    ),
    "aortic_change": (
        "aort athero vascul",
        rf"(?:tortuous|ectatic|unfold\w*|uncoil\w*|dilat\w*|calcifi\w*|athero\w*|enlarged|aneurysm\w*|elongated|widened"
        rf"|prominent|tortuosity|ectasia) {_W}{{0,5}}?aort(?:a|ic)\b(?! valve| stenosis)"
        rf"|aort(?:a|ic)\b(?! valve| stenosis) (?:(?!normal|unremarkable|without|no |and "
        rf"|but )[\w/-]+ ){{0,4}}?(?:tortuous"
        r"|tortuosity|ectasia|ectatic|unfold\w*|uncoil\w*|dilat\w*|calcif\w*|athero\w*|aneurysm\w*|elongat\w*|prominent"
        r"|enlarged)|athero(?:sclero|mat)\w+(?: calcif\w+)?",
    ),
    "elevated_diaphragm": (
        "diaphragm hemidiaphragm hemi event",
        rf"(?:elevat\w+|raised|high-riding) {_W}{{0,4}}?{_DIAPHRAGM}|{_DIAPHRAGM} (?:is |are |appears? |remains? )?"
        rf"{_W}{{0,3}}?(?:elevat\w+|raised|high\b)|eventrat\w+",
    ),
    "hernia": ("herni", r"herni\w+"),
    "scoliosis": (
        "scoli dextro levo kypho curv roto",
        r"\w*scolio\w+|(?:dextro|levo)-?curv\w+|curvature of the (?:\w+ )?spine|(?:spinal|spine) curvature"
        r"|s-shaped curv\w+",
    ),
    "degenerative_spine": (
        "degen spond osteoph spur arthrit disc disk hypertroph syndesm",
        rf"spondyl(?:osis|otic|itic)\w*|osteophyt\w*|syndesmophyt\w*|{_DEGENERATION} {_W}{{0,5}}?(?:spine|disc|disk"
        rf"|vertebr\w+"
        r"|thoracic|spondyl\w+)"
        rf"|(?:spine|vertebr\w+|thoracic) {_W}{{0,4}}?{_DEGENERATION}|(?:disc|disk) (?:space )?(?:narrowing|disease)"
        r"|degenerative (?:changes?|disease|spurring)(?! (?:of|in|at|involving"
        r"|about) (?:the )?(?:\w+ ){0,2}?(?:shoulder"
        r"|acromi|gleno|hip|joint|ac ))",
    ),
    "postoperative": (
        "post status sternot thoracot lobect pneumonect mastect cholecyst cabg bypass surg clip sutur staple resect "
        "graft",
        r"post-?(?:operative|surgical)\w*|status post (?:\w+ )?(?:\w+ectomy|\w+otomy|cabg|surgery|resection|repair)"
        r"|(?:sternot|thoracot)omy|(?:lob|pneumon|mast|cholecyst|segment)ectomy|\bcabg\b|bypass (?:graft|surgery)\w*"
        r"|(?:surgical|vascular|cholecystectomy|hemostatic|mediastinal) clips?|\bclips\b|\bsutures?\b|(?:surgical"
        r"|staple|suture)"
        r" (?:lines?|changes?|material|staples)|wedge resection",
    ),
    "foreign_body": (
        "foreign bullet shrapnel pellet buckshot metal radiop radio coin ballistic",
        r"foreign (?:body|bodies|objects?|material)|\bbullets?\b|shrapnel|pellets?\b|buckshot|ballistic \w+"
        r"|metallic (?:\w+ )?(?:fragments?|objects?|densit\w+|bodies|body|bbs?)|radio-?(?:pa|de)\w+ (?:object|body"
        r"|foreign)"
        r"|(?:ingested|aspirated|swallowed) coins?",
    ),
}

WIDER_NORMALS: dict[str, _Entry] = {
    "hyperinflation": (
        "inflat volum expan",
        r"(?:normally|normal) (?:inflat\w+|expan\w+|aerat\w+)|(?:inflation|lung volumes?) (?:is |are )?(?:\w+ )?normal"
        r"|normal lung volumes?",
    ),
    "low_lung_volume": (
        "inflat volum expan aerat",
        r"(?:normally|normal|well|fully|adequately) (?:inflat\w+|expan\w+|aerat\w+)|(?:lung volumes?"
        r"|inspiration) (?:is |are )?"
        r"(?:\w+ )?(?:normal|adequate|good)|normal lung volumes?|good inspirat\w+",
    ),
    "hilar_enlargement": (
        "hila hilar hilum hili",
        rf"\bhil(?:a|um|i|ar)\b (?:(?!enlarg|promin|full|abnormal|but|lung)[\w/,-]+ ){{0,6}}?(?:normal|unremarkable"
        rf"|within (?:\w+ )?limits|not enlarged)|(?:normal|unremarkable) {_W}{{0,4}}?hil(?:a|um|i|ar)\b",
    ),
    "mediastinal_shift": (
        "trachea mediast midline",
        r"trache\w+ (?:is |are |remains? )?(?:\w+ ){0,2}?(?:midline|central|normal)|midline (?:trachea|mediastinum)"
        r"|mediastinum (?:is )?(?:\w+ ){0,2}?(?:midline|central)\b",
    ),
    "aortic_change": (
        "aort",
        r"aort(?:a|ic)\b(?! valve) (?:(?!tortu|ectat|calcif|athero|unfold|dilat|but|lung)[\w/,-]+ ){0,5}?(?:normal"
        r"|unremarkable|within (?:\w+ )?limits)|(?:normal|unremarkable) (?:\w+ ){0,2}?aort(?:a|ic)\b",
    ),
    "elevated_diaphragm": (
        "diaphragm hemidiaphragm hemi",
        rf"{_DIAPHRAGM} (?:(?!elev|raised|high|flat|but|lung)[\w/,-]+ ){{0,4}}?(?:normal|unremarkable|intact|smooth)"
        rf"|(?:normal|unremarkable|smooth) {_DIAPHRAGM}",
    ),
}
