"""English words of the keywords."""

from __future__ import annotations

from llmrg.findings.graphs._keyword_rules import KeywordRules

__all__ = ["ENGLISH_RULES"]

ENGLISH_RULES = KeywordRules(
    places=(
        ("Costophrenic angle", r"costophrenic|\bcp angle|\bsulc(?:us|i)\b"),
        ("Hilum", r"\bhil(?:um|a|ar|us)\b"),
        ("Pulmonary artery", r"pulmonary arter\w+"),
        ("Aortic knot", r"aortic (?:knob|button|knuckle)"),
        ("Aortic arch", r"aortic arch|\barch\b"),
        ("Aorta", r"(?:thoracic |ascending |descending )*aort\w+"),
        ("Heart", r"cardiomediastin\w+|cardio-mediastin\w+|cardiopulmonary|cardiorespiratory"),
        ("Diaphragm", r"cardiophrenic|subdiaphragm\w+|infradiaphragm\w+|subphrenic"),
        ("Heart", r"heart|cardi\w+|\bventric\w+|\batri(?:um|al|a)\b|pericardi\w+"),
        ("Mediastinum", r"mediastin\w+|thym\w+|paratracheal|retrosternal"),
        ("Diaphragmatic", r"diaphragmatic (?:surface|contour|border)s?"),
        ("Diaphragm", r"(?:hemi-?)?diaphragm\w*"),
        ("Horizontal split", r"(?:minor|horizontal) fissure"),
        ("Fissures", r"fissur\w+|interlobar"),
        ("Pleura", r"pleur\w+|hemithora\w+"),
        (
            "Vertebrae",
            (
                r"vertebra\w*|(?:thoracic |lumbar |cervical |t-)?spin(?:e|al)|\bdis[ck]s?\b|endplate\w*"
                r"|thoracolumbar|paraspinal|\b[tlc]\d{1,2}\b"
            ),
        ),
        ("Chest", r"bony thorax|rib cage|thoracic cage"),
        ("Rib", r"\bribs?\b|costal|costochondral"),
        (
            "Bone",
            (
                r"bon[ey]s?|osseous|skelet\w+|clavic\w+|scapul\w+|humer\w+|stern(?:um|al)|shoulder\w*"
                r"|glen\w+|acromio\w+|ac joints?"
            ),
        ),
        (
            "Vessels",
            (
                r"vascul\w*|vessels?|vena cava|\bsvc\b|\bivc\b|azygos|\bveins?\b|jugular|subclavian"
                r"|brachiocephalic|coronary|cavoatrial|atriocaval"
            ),
        ),
        ("Trachea", r"trache(?:a|al)\b|carin\w+|airways?"),
        ("Lung", r"bronchovascular|subpleural|peribronch\w+"),
        ("Bronchi", r"bronch\w+|mainstem|tracheobronchial"),
        ("Neck", r"neck|cervical|thyroid"),
        ("Bowel", r"bowel|colon\w*|duoden\w+"),
        (
            "Belly",
            (
                r"abdom\w+|stomach|gastr\w+|esophag\w+|oesophag\w+|liver|hepatic|spleen|splenic|gallbladder"
                r"|quadrant|hiatal|pylor\w+"
            ),
        ),
        ("Chest", r"chest|thora(?:x|cic)|subcutaneous|soft tissues?|axill\w+|breasts?|nipples?|intrathoracic"),
        (
            "Lung",
            r"lungs?|pulmonary|lobes?|segments?|parenchym\w+|bas(?:es?|al|ilar)\b|bibas\w+|ap(?:ex"
            r"|ices|ical)\b|biapical|lingul\w+|perihilar|parahilar"
            r"|infrahilar|suprahilar|retrocardiac|\b[lr][ulm]l\b",
        ),
    ),
    lesions_in_order=(
        (r"endotracheal|\bet tube|\bett\b|tracheostomy|intubat", ("Intubation",), "Trachea", True),
        (r"drain|chest tube|thoracostomy|pigtail|pleural catheter", ("Drainage",), "Pleura", True),
        (
            (
                r"gastri|nasogastric|orogastric|\b[no]g tube|\bngt\b|enteric|feeding|dobb?hoff|gastrostomy"
                r"|peg tube|g-tube|vp shunt|ventriculoperitoneal"
            ),
            ("Insert",),
            "Belly",
            True,
        ),
        (
            r"\bpac(?:er|ing|emaker)|\blead|\ba?icd\b|defibrill|valve|balloon|iabp|loop recorder|impella|cardiac",
            ("Insert",),
            "Heart",
            True,
        ),
        (
            (
                r"sternotomy wire|sternal wire|cerclage|hardware|screw|\brods?\b|plate(?!-| )s?$|fixation"
                r"|arthroplasty|anchor"
            ),
            ("Insert",),
            "Bone",
            False,
        ),
        (
            (
                r"catheter"
                r"|\blines?\b(?<!kerley b lines)(?<!kerley lines)(?<!septal lines)(?<!septal line)(?<!kerley b line)"
                r"|picc|\bport|mediport|swan|cv[cl]\b|umbilical|cannula|vascular"
            ),
            ("Insert",),
            "Vessels",
            True,
        ),
        (
            (
                r"tube|wire|clip|stent|suture|staple|device|prosthe|electrode|stimulator|coil|foreign bod"
                r"|generator|shunt|brace|metallic"
            ),
            ("Insert",),
            "",
            False,
        ),
        (
            r"post-?surg|post-?op|surgery|sternotomy|thoracotomy|ectomy|cabg|resection",
            ("Postoperative",),
            "Chest",
            False,
        ),
        (r"bronchi(?:ti|oli)", ("Flame",), "Bronchi", True),
        (
            r"pneumonia|pneumonitis|infection|tuberculosis|\btb\b|abscess|aspiration|inflammat",
            ("Flame",),
            "Lung",
            False,
        ),
        (r"hydropneumo|hemopneumo|pyopneumo|air-fluid", ("Gas", "Effusion"), "Pleura", True),
        (r"pneumothora|\bptx\b", ("Gas",), "Pleura", True),
        (r"pneumoperiton|free (?:intraperitoneal )?(?:air|gas)|intraperitoneal air", ("Gas",), "Diaphragm", True),
        (r"pneumomediast", ("Emphysema",), "Mediastinum", True),
        (
            r"effusion|fluid(?! overload)|hydrothorax|h(?:a)?emothorax|empyema|chylothorax",
            ("Effusion",),
            "Pleura",
            True,
        ),
        (r"emphysema|copd|obstructive", ("Emphysema",), "Lung", False),
        (r"\bair\b(?! bronch| trapping|space)|\bgas|air collection", ("Gas",), "", False),
        (r"fractur", ("Fracture",), "Bone", False),
        (r"atelecta|collaps|volume loss", ("Atelectasis",), "Lung", False),
        (r"calcif|granuloma|plaque", ("Calcification",), "Lung", False),
        (r"scolio", ("Side bend",), "Vertebrae", False),
        (
            (
                r"deform|degenerat|kypho|spondyl|osteophyt|spurr|arthr|flatten|compress|wedging|height"
                r"|distort|syndesm|hypertrophy"
            ),
            ("Deformed",),
            "",
            False,
        ),
        (r"bronchiectasis", ("Deformed",), "Bronchi", True),
        (r"tortuo|ectati|ectasia|uncoil|unfold", ("Torque",), "Aorta", False),
        (r"blunt|obscur|indistinct|silhouett|ill-defined|hazy|effac", ("Blur",), "", False),
        (r"shift|deviat|displac|elevat|raised|herni|eventration|malposition", ("Shift",), "", False),
        (r"markings?|interstitium", ("Texture",), "Lung", False),
        (
            r"hyper-?(?:inflat|expan|aera)|hyperlucen|lucen|overinflat|bulla|bleb|air trapping",
            ("Transparency",),
            "Lung",
            False,
        ),
        (r"cardiomegaly|heart failure|\bchf\b|congestive failure|decompensation", ("Prominence",), "Heart", True),
        (r"adenopathy|lymph node|\bnodes?\b", ("Prominence",), "Mediastinum", False),
        (
            (
                r"opaci|densit|shadow|infiltr|consolid|nodul|\bmass|lesion|haz(?:e|iness)|edema|oedema"
                r"|congest(?!ive)|patchy|streaky|airspace|interstitial|scar|fibro|cavit|neoplas|malignan"
                r"|metasta"
                r"|carcinoma|tumou?r|cancer|reticul|kerley|septal|cuffing|bronchogram|honeycomb|ground"
                r"|hemorrhage|contusion|linear|rounded|dense|cephaliz|redistrib|sarcoid|silicosis"
                r"|asbestos|infarct|peribronchial|bronchial wall|overload|engorg|plethor"
            ),
            ("Shadow",),
            "Lung",
            False,
        ),
        (
            r"enlarg|widen|prominen|dilat|distend|large\b|bulky|big\b|full|ectatic|aneurysm|globular|boot",
            ("Prominence",),
            "",
            False,
        ),
        (r"increas|accentuat|coars|thick|exaggerat|crowd|adhesion|capp", ("Enhanced",), "", False),
        (
            (
                r"low(?:ered)?\b|decreas|diminish|reduc|narrow|osteopeni|osteopor|deminer|under-?inflat"
                r"|hypo|poorly|smaller"
            ),
            ("Weaken",),
            "",
            False,
        ),
    ),
    sides=(
        ("bilateral", r"\bbilateral|\bboth\b|\bbi-?(?:bas|api)|\blungs\b(?<!left lungs)|\bbases\b|\bapices\b"),
        ("left", r"\bleft|\blll\b|\blul\b|\blingul"),
        ("right", r"\bright|\brll\b|\brul\b|\brml\b"),
    ),
)
