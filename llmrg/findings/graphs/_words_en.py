"""English words of report graphs, from radiology's own phrasing (lower case)."""

from __future__ import annotations

import re

from llmrg.findings.graphs._terms import Role, Terms, expand

__all__ = ["ENGLISH_TERMS"]

_PLACES: tuple[tuple[Role, str, str], ...] = (
    (
        "side",
        "",
        """left right bilateral bilaterally both left-sided right-sided bilateral-sided
         unilateral unilaterally ipsilateral contralateral bibasally""",
    ),
    (
        "zone",
        "",
        """
        upper lower mid middle mid-to-lower lateral medial anterior posterior anterolateral posterolateral
        superior inferior apico-posterior apicolateral peripheral central dependent proximal distal basilarly
        posteriorly anteriorly laterally cortical subpleural infraclavicular supraclavicular perifissural 1st 2nd
        3rd 4th 5th 6th 7th 8th 9th 10th 11th 12th first second third fourth fifth sixth seventh eighth ninth
        tenth eleventh twelfth peribronchovascular paratracheal paraspinal paramediastinal retrosternal
        juxtaphrenic subdiaphragmatic infradiaphragmatic subphrenic""",
    ),
    (
        "tail",
        "",
        """
        silhouette(s) contour(s) border borders outline region(s) zone(s) field(s) space(s) cavity cavities
        structure(s) aspect(s) surface(s) angle(s) level body bodies arch knob knuckle button wall parenchyma
        tissue(s) gutter recesses complex interspace(s) interface stripe window junction vasculature""",
    ),
    (
        "organ",
        "lung",
        """lung(s) pulmonary segment(s) lobe(s) parenchyma parenchymal lung_parenchyma lung_field(s) lung_zone(s)
        lung_base(s) lung_apices lung_apex apical basilar basal bibasilar bibasal
        biapical retrocardiac perihilar parahilar lingula lingular infrahilar suprahilar lul rul lll rll rml
        upper_lobe(s) lower_lobe(s) middle_lobe(s) intrapulmonary""",
    ),
    ("organ", "zone", "apex apices base(s)"),
    ("organ", "hilum", "hilum hila hilar hilus"),
    (
        "organ",
        "heart",
        """
        heart cardiac cardiopericardial cardiomediastinal cardio-mediastinal cardiothoracic_ratio pericardium
        pericardial left_ventricle right_ventricle left_atrium right_atrium left_ventricular right_ventricular
        left_atrial right_atrial ventricle ventricular atrium atrial atrial_appendage cardiac_apex
        cardiopulmonary cardiothoracic mitral_valve aortic_valve tricuspid_valve mitral_annulus mitral_annular
        cardiac_shadow heart_shadow cardiorespiratory""",
    ),
    (
        "organ",
        "pleura",
        """pleura pleural pleuroparenchymal costophrenic costophrenic_angle(s) costophrenic_sulcus
        costophrenic_sulci costophrenic_recess fissure(s) fissural interlobar minor_fissure major_fissure
        horizontal_fissure oblique_fissure hemithorax hemithoraces hemithoracic cp_angle(s) sulcus sulci""",
    ),
    (
        "organ",
        "wall",
        """chest thorax thoracic thoracic_cage chest_wall subcutaneous soft_tissue(s) axilla axillary breast(s)
        nipple(s) nipple_shadow(s) thoracic_inlet intrathoracic""",
    ),
    (
        "organ",
        "diaphragm",
        """diaphragm(s) diaphragmatic hemidiaphragm(s) hemi-diaphragm(s) hemidiaphragmatic cardiophrenic
        cardiophrenic_angle(s)""",
    ),
    ("organ", "mediastinum", "mediastinum mediastinal lymph_node(s) thymus thymic thymic_shadow mediastinal_shadow"),
    (
        "organ",
        "vessel",
        """aorta aortic venous arterial aortic_arch aortic_knob thoracic_aorta ascending_aorta descending_aorta
        pulmonary_artery pulmonary_arteries pulmonary_vein(s) svc superior_vena_cava ivc inferior_vena_cava
        vena_cava azygos azygos_vein subclavian jugular brachiocephalic vascular vasculature vessel(s)
        pulmonary_vascularity vascularity pulmonary_vasculature pulmonary_vascular great_vessels
        cavoatrial_junction coronary coronary_artery coronary_arteries innominate_vein innominate_artery
        brachiocephalic_vein subclavian_vein atriocaval_junction pulmonary_arterial""",
    ),
    (
        "organ",
        "airway",
        """trachea tracheal bronchus bronchi bronchial peribronchial bronchovascular carina carinal airway(s)
        tracheobronchial mainstem mainstem_bronchus main_bronchus tracheal_air_column""",
    ),
    (
        "organ",
        "bone",
        """
        rib(s) rib_cage clavicle(s) clavicular scapula scapulae humerus humeral humeral_head sternum sternal
        bone(s) bony osseous skeletal skeleton bony_thorax osseous_structures bony_structures spine spinal
        thoracic_spine lumbar_spine cervical_spine vertebra vertebrae vertebral vertebral_body vertebral_bodies
        disc disk disc_space(s) disk_space(s) endplate(s) thoracolumbar thoracolumbar_spine shoulder(s)
        glenohumeral ac_joint(s) acromioclavicular acromioclavicular_joint(s) costal costochondral
        posterior_elements glenoid t-spine""",
    ),
    (
        "organ",
        "abdomen",
        """
        abdomen abdominal stomach gastric esophagus esophageal oesophagus bowel colon colonic small_bowel
        duodenum duodenal liver hepatic spleen splenic gallbladder upper_abdomen hepatic_flexure splenic_flexure
        pylorus ge_junction gastroesophageal_junction gastroesophageal quadrant left_upper_quadrant
        right_upper_quadrant hiatal hiatus""",
    ),
    ("organ", "neck", "neck cervical thyroid"),
)

_DEVICES = """
        endotracheal_tube(s) et_tube(s) ett nasogastric_tube(s) ng_tube(s) ngt orogastric_tube(s) og_tube(s)
        enteric_tube(s) feeding_tube(s) dobbhoff_tube(s) dobhoff_tube(s) dobbhoff gastrostomy_tube(s)
        gastric_tube(s) g-tube(s) peg_tube(s) tracheostomy tracheostomy_tube(s) tracheostomy_cannula
        chest_tube(s) chest_drain(s) pleurx_catheter thoracostomy_tube(s) pleural_drain(s) pleural_catheter(s)
        pigtail_catheter(s) pigtail mediastinal_drain(s) drain(s) drainage_catheter(s) tube(s) catheter(s)
        line(s) central_line(s) central_venous_catheter(s) central_venous_line(s) central_catheter(s)
        venous_catheter(s) cvc cvl picc picc_line(s) picc_catheter(s) peripherally_inserted_central_catheter
        ij_catheter(s) ij_line(s) internal_jugular_catheter internal_jugular_line
        internal_jugular_central_venous_catheter jugular_catheter(s) jugular_line(s) subclavian_catheter(s)
        subclavian_line(s) subclavian_central_venous_catheter dialysis_catheter(s) hemodialysis_catheter(s) port
        port-a-cath portacath port-a-catheter mediport chest_port infusion_port swan-ganz_catheter swan-ganz
        pulmonary_artery_catheter pa_catheter umbilical_catheter(s) umbilical_venous_catheter
        umbilical_artery_catheter umbilical_line(s) uvc uac pacemaker(s) pacer(s) cardiac_pacemaker
        pacemaker_lead(s) pacemaker_wire(s) pacer_lead(s) pacer_wire(s) pacing_lead(s) epicardial_pacing_wire(s)
        epicardial_wire(s) epicardial_lead(s) spinal_fixation_rods fixation_rods fixation_screws pacing_wire(s)
        cardiac_pacer lead(s) icd aicd defibrillator(s) generator pacemaker_generator sternotomy_wire(s)
        sternal_wire(s) median_sternotomy_wire(s) cerclage_wire(s) wire(s) surgical_clip(s) clip(s) stent(s)
        coronary_stent(s) bronchial_stent(s) aortic_stent(s) valve_replacement(s) prosthetic_valve(s)
        mechanical_valve(s) prosthetic_mitral_valve prosthetic_aortic_valve aortic_valve_replacement
        mitral_valve_replacement valve_prosthesis cardiac_valve device(s) implant(s) implantable_device(s)
        vascular_line(s) catheter_fragment(s) biliary_stent(s) tracheal_tube(s) breathing_tube icd_lead(s)
        dual_lumen_catheter midline_catheter surgical_hardware surgical_material embolization_material
        sternal_suture_wire(s) sternal_suture(s) surgical_drain(s) biliary_drain bypass_clips skin_staples
        prosthetic_heart_valve hardware fusion_hardware spinal_hardware fixation_hardware orthopedic_hardware
        screw(s) plate(s) rod(s) spinal_rods anchor(s) prosthesis arthroplasty shunt shunt_catheter(s) vp_shunt
        ventriculoperitoneal_shunt intra-aortic_balloon_pump balloon_pump iabp loop_recorder surgical_staple(s)
        suture(s) suture_line staple_line staple(s) stimulator electrode(s) ekg_lead(s) monitoring_lead(s)
        ecg_lead(s) support_device(s) monitoring_device(s) medical_device(s) cannula foley embolization_coil(s)
        coil(s) brace foreign_body foreign_bodies nasoenteric_tube(s) impella ecmo_cannula vagal_nerve_stimulator
        vascular_stent(s) airway_stent central_venous_access_device vascular_catheter(s) indwelling_catheter
        gastrostomy"""

_OBSERVATIONS: tuple[tuple[Role, str, str], ...] = (
    ("lesion", "device", _DEVICES),
    (
        "lesion",
        "pleura",
        """
        effusion(s) pneumothorax pneumothoraces hydropneumothorax hemothorax haemothorax hydrothorax empyema
        fluid_collection(s) fluid air_collection(s) air-fluid_level(s) hemopneumothorax pyopneumothorax
        chylothorax fibrothorax ptx apical_capping apical_cap cap capping hemithorax_opacification
        pneumothoracies hydropneumothoraces""",
    ),
    (
        "lesion",
        "heart",
        "cardiomegaly heart_failure congestive_heart_failure chf congestive_failure cardiac_decompensation",
    ),
    (
        "lesion",
        "bone",
        """
        fracture(s) fracture_deformity fracture_deformities scoliosis irregularity irregularities kyphosis
        kyphoscoliosis dextroscoliosis levoscoliosis spondylosis osteophyte(s) osteophytosis osteophyte_formation
        degenerative_disc_disease degenerative_disease arthritis osteoarthritis arthropathy osteopenia
        osteoporosis demineralization dislocation subluxation spurring degenerative_spurring dish callus
        destruction erosion(s) bony_destruction syndesmophytes wedging compression_deformity
        compression_deformities""",
    ),
    (
        "lesion",
        "lung",
        """
        consolidation(s) consolidative_change(s) opacity opacities streakiness crowding opacification(s)
        infiltrate(s) infiltration(s) infiltrative_change haziness haze nodule(s) nodularity mass masses
        micronodule(s) atelectasis atelectases atelectatic_change(s) collapse collapses edema oedema congestion
        cavitation(s) cavitary_lesion(s) emphysema hyperinflation hyperexpansion hyperaeration fibrosis
        fibrotic_change(s) scar(s) scarring granuloma(s) granulomata tuberculosis tb pneumonia(s)
        bronchopneumonia pneumonitis infection(s) airspace_disease air-space_disease air_space_disease
        airspace_process alveolar_process bronchiectasis bronchitis bronchiolitis air_bronchogram(s) volume_loss
        malignancy neoplasm metastasis metastases metastatic_disease tumor(s) tumour(s) carcinoma cancer bulla
        bullae emphysematous bronchiectatic bleb(s) pneumatocele(s) honeycombing interstitial_change(s)
        interstitial_disease interstitial_lung_disease interstitial_pattern interstitial_process reticulation(s)
        kerley_b_line(s) kerley_line(s) kerley_a_line(s) septal_line(s) septal_thickening cuffing air_trapping
        lobar_collapse segmental_collapse subsegmental_collapse lobar_atelectasis segmental_atelectasis
        subsegmental_atelectasis loss aspiration_pneumonia aspiration_pneumonitis croup ards
        respiratory_distress_syndrome hyaline_membrane_disease meconium_aspiration bronchopulmonary_dysplasia
        copd obstructive_disease obstructive_lung_disease obstructive_pulmonary_disease
        chronic_obstructive_pulmonary_disease reactive_airway(s)_disease small_airways_disease aspiration
        contusion(s) hemorrhage abscess(es) sarcoidosis asbestosis silicosis granulomatous_disease cephalization
        redistribution vascular_redistribution infarct infarction pulmonary_embolism hypoventilation
        underinflation hypoinflation under-aeration""",
    ),
    (
        "lesion",
        "",
        """
        thickening adhesion(s) calcification(s) plaque(s) adenopathy lymphadenopathy aneurysm hernia(s) goitre
        goiter mucus_plugging mucous_plugging mucus_plug pneumomediastinum pneumopericardium pneumoperitoneum
        free_air gas air intraperitoneal_air free_intraperitoneal_air free_gas height_loss vertebral_height_loss
        surgery postsurgical postoperative post-surgical post-operative sternotomy thoracotomy lobectomy
        mastectomy pneumonectomy cabg resection cholecystectomy median_sternotomy atherosclerosis
        arteriosclerosis atherosclerotic_disease atherosclerotic_calcification(s) ectasia dilatation dilation
        enlargement widening prominence blunting elevation eventration tortuosity uncoiling unfolding flattening
        obscuration deviation shift displacement distortion deformity deformities narrowing compression
        effacement indistinctness silhouetting loss_of_height swelling gaseous_distention distention hypertension
        degenerative hypertrophy engorgement fullness lucency lucencies mass_effect volume_overload
        fluid_overload splaying tenting""",
    ),
    (
        "shadow",
        "lung",
        "density densities shadow shadows shadowing lesion(s)  ",
    ),
    ("margin", "", "margin(s) position positioning alignment"),
    (
        "neutral",
        "",
        """markings marking size sizes volume volumes abnormality abnormalities process processes disease diseases
        finding configuration caliber course inflation aeration expansion translucency pathology cobb_angle
        illness injury height heights mineralization architecture shape aeration vascular_pattern
        thickness morphology width excursion insult""",
    ),
    (
        "shape",
        "",
        """
        patchy hazy streaky linear thick-walled thin-walled veil-like bandlike band-like reticular
        reticulonodular nodular rounded round oval ovoid ill-defined well-defined well-circumscribed dense
        ground-glass ground glass groundglass plate-like platelike discoid confluent fluffy wedge-shaped
        mass-like masslike strand-like spiculated lobulated cavitary cavitating irregular ill_defined
        poorly_defined vague fibronodular miliary tubular curvilinear cystic lucent hyperlucent hyperdense
        sclerotic lytic calcified fibrotic atelectatic consolidative infiltrative heterogeneous homogeneous
        metallic reticulated granular nodular-appearing plate_like streak-like soft_tissue_density soft-tissue
        tree-in-bud subpulmonic consolidated wedge wedge-like ring-like semicircular triangular ill-circumscribed
        bat-wing batwing butterfly honeycomb""",
    ),
    (
        "change",
        "",
        """
        increased increasing increase larger enlarging decreased decreasing decrease worsened worsening improved
        improving improvement resolving progressed progressive progression accumulating reaccumulated growing
        shrinking less_dense more_dense less_prominent more_prominent less_conspicuous more_conspicuous
        less_extensive more_extensive development changed increase_in_size decrease_in_size increased_in_size
        decreased_in_size reduction_in_size increase_in_extent decrease_in_extent waxing smaller reduction
        regressing regressed regression reaccumulating""",
    ),
    (
        "disease",
        "",
        """
        enlarged prominent widened wide blunted elevated raised low lowered tortuous ectatic dilated distended
        shifted deep deviated displaced obscured accentuated coarse coarsened crowded thickened hyperinflated
        hyperexpanded overinflated hyper-expanded hyper-inflated indistinct abnormal atherosclerotic unfolded
        uncoiled flattened depressed collapsed underinflated hypoinflated under-inflated poorly_inflated
        poorly_expanded poorly_aerated silhouetted fractured tented congested engorged cephalized exaggerated
        diminished reduced big bulky full effaced narrowed compressed fragmented malpositioned kinked coiled
        angulated misaligned large-sized hypoplastic hypoexpanded opacified infiltrated plethoric cuffed
        osteopenic demineralized degenerated herniated asymmetric asymmetrical scoliotic kyphotic curved
        distorted attenuated globular boot-shaped augmented bowed deformed suboptimal""",
    ),
    (
        "normal",
        "",
        """
        normal clear unremarkable intact sharp midline central well-expanded well_expanded well-inflated
        well_inflated well-aerated well_aerated fully_expanded smooth symmetric symmetrical preserved maintained
        satisfactory appropriate expected good top-normal high-normal patent adequate adequately_inflated
        distinct normally_expanded nonenlarged well_ventilated centered expanded inflated aerated regular stable
        unchanged similar same constant unaltered static no_change_in no_significant_change_in
        no_interval_change_in no_significant_interval_change_in no_definite_change_in no_change without_change
        without_significant_change without_interval_change without_significant_interval_change
        no_significant_change no_interval_change no_significant_interval_change""",
    ),
    (
        "degree",
        "",
        """
        small mild mildly moderate moderately moderate-sized moderate-to-large large marked markedly severe
        severely minimal minimally slight slightly tiny trace minor faint subtle extensive extensively massive
        gross grossly minute focal multifocal diffuse diffusely scattered multiple innumerable massively
        congestive prior previous large-bore small-bore air_space non-accidental post-inflammatory
        postinflammatory several few single solitary numerous isolated acute subacute chronic old healed healing
        remote new newly persistent persisting early late borderline short long thin thick loculated layering
        retained implanted dual-chamber single-chamber dual-lead dual_lead single_lead dual_chamber
        single_chamber densely heavily biventricular viral bacterial fungal reactive completely entirely fully
        nearly mainly predominantly predominant compression recurrent unilocular overall worse abundant dominant
        residual mild-to-moderate mild_to_moderate moderate_to_severe moderate_to_large small_to_moderate
        small-to-moderate interstitial airspace air-space alveolar free active lobar segmental subsegmental
        compressive obstructive passive asymmetrically nondisplaced non-displaced undisplaced minimally_displaced
        mildly_displaced comminuted pathologic traumatic sizable sizeable considerable substantial considerably
        centrilobular paraseptal bullous benign malignant infectious inflammatory granulomatous tuberculous
        cardiogenic atypical tension additional partial complete near-complete partially relatively somewhat
        prominently greatly limited localized generalised generalized widespread medium developing evolving
        long-standing longstanding postobstructive post-obstructive low-lying hydrostatic noncalcified
        non-calcified mid-sized discrete unifocal incidental small-sized well-healed subcentimeter nonspecific
        fine""",
    ),
)

_SEEING = (
    *("seen", "identified", "present", "visualized", "visualised", "evident", "appreciated", "demonstrated"),
    *("detected", "noted", "apparent", "observed", "visible"),
)
_UNSEEN = " ".join(
    f"not_{adverb}{seen}"
    for adverb in ("", "definitely_", "clearly_", "currently_", "convincingly_", "readily_", "otherwise_")
    for seen in _SEEING
)

_CUES: tuple[tuple[Role, str, str], ...] = (
    ("end", "", "; \n"),
    ("comma", "", ", : ( ) - --"),
    (
        "denial",
        "",
        """no not without absence_of free_of clear_of negative_for nor neither never with_no rather_than instead_of
        lack_of devoid_of excludes denies non""",
    ),
    (
        "denied",
        "",
        _UNSEEN
        + """
        not_seen not_identified not_present not_visualized not_visualised not_evident not_appreciated
        not_demonstrated not_detected not_noted not_apparent not_observed not_visible not_definitely_seen
        not_clearly_seen no_longer_seen no_longer_present no_longer_visualized no_longer_visualised
        no_longer_evident no_longer_identified no_longer_visible no_longer_appreciated no_longer_demonstrated
        no_longer_apparent absent unlikely improbable no_longer excluded ruled_out""",
    ),
    (
        "gone",
        "",
        "resolved cleared disappeared removed resolution removal withdrawn extubated extubation",
    ),
    (
        "emphasis",
        "",
        "greater_than worse_than more_than larger_than greater_on worse_on more_on larger_on greater worse ",
    ),
    ("list", "", "and or and/or / as_well_as plus & with along_with & accompanied_by to"),
    (
        "verb",
        "",
        """
        is are was were appears appear appearing remains remain has have had shows show demonstrates demonstrate
        reveals seen noted present identified visualized demonstrated may might could represents representing
        reflecting represent reflect consistent compatible due_to suggesting suggestive suggest suggests due
        secondary likely possibly possible probable probably concerning suspicious be been being related keeping
        obscuring obscures causing causes project projects terminates terminating extends extending lies ends
        measuring measures evident including versus vs vs. visible visualised concern associated favored favoring
        this_may""",
    ),
    (
        "at",
        "",
        """
        in at within on over overlying throughout along involving above below beneath under near adjacent_to
        projecting_over projects_over superimposed_over behind posterior_to anterior_to lateral_to medial_to
        beyond in_the_region_of near_the into about abutting around across through toward towards underneath
        inferior_to superior_to from to_the projecting_within""",
    ),
    ("of", "", "of"),
    (
        "stop",
        "",
        """but however although though otherwise there_is there_are there_was there_were there_has while whereas
        which except_for except other_than aside_from apart_from besides there""",
    ),
    (
        "skip",
        "",
        """
        the a an this that these those evidence sign signs any area areas amount amounts degree pattern
        appearance change changes setting in_the_appropriate_clinical_setting appropriate_clinical_setting
        finding findings definite definitely significant significantly obvious obviously appreciable convincing
        limits upper_limits compared prior_study previous_study prior_exam previous_exam prior_examination
        previous_examination prior_radiograph previous_radiograph prior_film prior_studies exam study following
        after interval not_without examination interval_change history lateral_view frontal_view
        lateral_projection frontal_projection lateral_radiograph frontal_radiograph pa_view ap_view
        pa_and_lateral lateral_film lateral_image lateral_images frontal_and_lateral pa tip tips in_place in_situ
        end patient patients view views radiograph radiographs film portable x-ray as for by it well again
        once_again now chest_x-ray chest_radiograph chest_radiographs chest_xray cxr chest_ct ct clinical
        correlation focus foci collection collections component with_respect_to post status status_post s/p
        no_longer_required no_doubt not_only no_significant skin_fold(s) skinfold(s) line_of right-angle
        right_lateral_decubitus left_lateral_decubitus lower_than upper_normal patient's visualized remaining
        remainder given in_comparison in_appearance most more less least other""",
    ),
)

_NUMBERS = re.compile(
    r"\b(?:[tlc]\d{1,2}(?:\s?[-/]\s?[tlc]?\d{1,2})*|\d{1,2}(?:st|nd|rd|th)(?:(?:,? (?:and "
    r"|through |to )?|-)\d{1,2}(?:st|nd|rd|th))*"
    r"|(?:\d{1,2}, )*\d{1,2} (?:and|through|to) \d{1,2}(?= ribs?\b))\b"
)

_HEDGES = re.compile(
    r"(?P<unc_after>(?:can ?not|could not|can't|not)(?: be)?(?: \w+){0,2}? (?:excluded|ruled out)"
    r"|(?:difficult|hard) to (?:exclude|rule out)"
    r"|(?:is|are|remains?) (?:also )?(?:possible|suspected|questioned|likely|probable|a consideration|of concern)|\?)"
    r"|(?P<unc>(?:can ?not|could not|can't|unable to)(?: be)?(?: \w+){0,2}? (?:exclude"
    r"|rule out)|possib\w+|\bmay\b|\bmight\b"
    r"|\bcould\b|(?<!un)likely|(?<!im)probabl\w*|suspect\w*|suspicio\w+|favou?r\w*|question\w*|differential|equivocal|presum\w+"
    r"|suggest\w*|concern\w*|worrisome|\bconsider(?:ed|ation)?\b|potential\w*)"
    r"|(?P<either>\bversus\b|\bvs\b\.?|\bborderline\b)"
)

ENGLISH_TERMS = Terms(
    language="en",
    words=expand((*_CUES, *_OBSERVATIONS, *_PLACES)),
    numbers=_NUMBERS,
    hedges=_HEDGES,
    symbols=re.compile(r"and/or|s/p|[a-z]+(?:['-][a-z]+)*|\d+(?:st|nd|rd|th)?|\n|[^\s\w]|\w+"),
)
