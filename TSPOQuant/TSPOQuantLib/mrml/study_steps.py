"""The steps of a visit, from its nodes to the library and back: results enter the scene at the end, all or nothing."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import slicer
from slicer.i18n import tr as _

from ..levels import LEVELS
from ..messages import InputRefused
from ..outcome.record import RegionOutcome, VisitRecord
from ..outcome.uptake import uptake_of
from ..progress import Progress, part, silent
from ..regions.anatomy import ANATOMY_ONLY, identify
from . import content, segmentations, sequence_io, study_nodes, tables, volumes
from .choices import InputSource, Motion, TSPOQuantVisitParameterNode
from .language import Number, lines, refusal, sentence, translated
from .panel_state import SECTIONS, State, state_of
from .study_views import StudyViews

PROPOSALS = "proposals"
"""Role of the table of what was proposed and what was declined."""
CLICKS = "clicks"
"""Role of the points that mark the mouths of a foramen."""


class StudySteps(StudyViews):
    """Steps raise InputRefused, and Cancelled through ``progress``."""

    def __init__(self, *given, **named) -> None:
        super().__init__(*given, **named)
        self._charted: dict[str, str] = {}  # name of the region that a visit's charts show

    # Steps

    def _read(self, session: str, *, regions: bool, progress: Progress = silent):
        """A visit's nodes and files as TSPOQuantLib.pipeline.VisitData."""
        from .. import pipeline
        from ..acquisition.blood import BloodSamples
        from ..acquisition.blood_files import read_blood
        from ..acquisition.frame_of_reference import check_frames_of_reference
        from ..acquisition.image import tracer_told
        from ..acquisition.population import read_population
        from ..pipeline.visit_data import of_one_person

        visit = self.visit(session)
        progress(0.0, _("Reading the images"))
        image = sequence_io.dynamic_from_node(visit.petSequence)
        entered: dict[str, Any] = {"injected_mbq": visit.injectedDose or None, "weight_kg": visit.weight or None}
        image = replace(image, scan=replace(image.scan, **{key: value for key, value in entered.items() if value}))
        settings = self.settingsOf(session)
        image = tracer_told(image, settings.tracer)
        modality = settings.anatomical_modality
        ct = volumes.anatomical_from_node(visit.ctVolume, modality=modality) if visit.ctVolume else None
        named = ", ".join(node.GetName() for node in (visit.petSequence, visit.ctVolume) if node)
        image = of_one_person(image, [one.scan for one in (image, ct) if one], named, settings.patient_ids)
        if ct is not None:
            placed = check_frames_of_reference(image.scan, ct.scan, None, visit.motion is Motion.RIGID)
            image = replace(image, notices=(*image.notices, *placed))
        drawn, blood = self._drawn(session) if regions else None, None
        if visit.bloodFile and regions:
            progress(0.5, _("Reading the blood measurements"))
            file, route = Path(visit.bloodFile), visit.bloodRoute.value
            if visit.inputSource is InputSource.POPULATION:
                blood = BloodSamples(route=route, population=read_population(file))
            else:
                blood = read_blood([file], route=route)
        data = pipeline.VisitData(image, drawn, blood, ct)
        return pipeline.on_one_clock(data, settings)

    def _drawn(self, session: str):
        """The segmentation of a visit as it is drawn so far; None without a segment."""
        node = self.visit(session).segmentation
        if not node or not node.GetSegmentation().GetNumberOfSegments():
            return None
        return segmentations.segmentation_from_node(node)

    def loadPet(self, session: str, path: str, progress: Progress = silent) -> str:
        """Read a visit's dynamic PET from files; what is to be known of it. path: see ``loading.read_pet``."""
        from . import loading

        image = loading.read_pet(Path(path), progress, self.settingsOf(session).tracer)
        name = slicer.mrmlScene.GenerateUniqueName(f"{session} PET")
        self.visit(session).petSequence = sequence_io.node_from_dynamic(image, name)
        self.showLoaded(session)
        return lines(image.notices)

    def loadAnatomical(self, session: str, path: str, progress: Progress = silent) -> str:
        """The same of its CT or MR; path: see ``loading.read_anatomical``."""
        from . import loading

        volume = loading.read_anatomical(Path(path), self.settingsOf(session).anatomical_modality, progress)
        name = slicer.mrmlScene.GenerateUniqueName(f"{session} {'CT' if volume.is_ct else 'MR'}")
        self.visit(session).ctVolume = volumes.node_from_volume(volume, name)
        self.showLoaded(session)
        return lines(volume.notices)

    @staticmethod
    def _check(missing: str) -> None:
        """Refuse ("input-missing") where something has to be done before."""
        if missing:
            raise refusal("input-missing", missing)

    def _require(self, section: str, session: str) -> None:
        self._check(self.whatIsMissing(section, session))

    def _alignment(self, session: str, data, settings, progress: Progress):
        """The kept alignment where it is up to date, else a new one."""
        from .. import pipeline
        from ..regions.region import regions_of

        step = self.step("fusion", session)
        node = self._resultOf("fusion", session)
        if node is not None and state_of(step) is State.DONE and settings.motion_correction != "none":
            return study_nodes.stored_alignment(session)
        drawn = regions_of(data.segmentation) if data.segmentation else ()
        return pipeline.align_visit(data.image, data.ct, settings, progress, drawn)

    def align(self, session: str, progress: Progress = silent) -> None:
        """Register the frames of a visit to each other, and its PET to its CT, as far as the visit asks for it."""
        from .. import pipeline
        from ..regions.region import regions_of

        self._require("fusion", session)
        inputs, settings = self._inputsOf("fusion", session), self.settingsOf(session)
        data = self._read(session, regions=False, progress=part(progress, 0, 0.1))
        segmentation = self._drawn(session)
        drawn = regions_of(segmentation) if segmentation else ()
        aligned = pipeline.align_visit(data.image, data.ct, settings, part(progress, 0.1, 1), drawn)
        progress(1.0, _("Done"))
        self._keepAlignment(session, data, aligned, inputs)

    def _keepAlignment(self, session: str, data, aligned, inputs: str) -> None:
        from ..alignment.motion import motion_table
        from ..alignment.rigid import field_points
        from . import plots

        motion, toCt = aligned
        study_nodes.store_alignment(session, (self._judgedAtRegions(session, motion), toCt), inputs)
        self.placePet(session)
        if motion is not None:
            table = motion_table(motion, field_points(data.image.grid))
            chart = plots.motion_chart(session, data.image.timing, table.translation_mm, table.displacement_mm)
            plots.draw(chart, session)

    def _judgedAtRegions(self, session: str, motion):
        """The motion as results tell it: where the regions to quantify are, and over the field before any is drawn."""
        from ..alignment.motion import judged_at

        node = self.visit(session).segmentation
        if motion is None or not node:
            return motion
        segments = {
            segment_id: node.GetSegmentation().GetSegment(segment_id)
            for segment_id in node.GetSegmentation().GetSegmentIDs()
        }
        known = {
            segment_id: identify(segment.GetName(), segmentations.tags_of(segment))
            for segment_id, segment in segments.items()
        }
        places = segmentations.segment_centers(node)
        quantified = [
            center for segment_id, center in places.items() if known[segment_id].structure not in ANATOMY_ONLY
        ]
        return judged_at(motion, np.array(quantified)) if quantified else motion

    def makeInput(self, session: str, progress: Progress = silent) -> None:
        """Make a visit's input function alone, and its plot."""
        from .. import pipeline
        from ..outcome.recording import input_record

        self._require("input", session)
        settings = self.settingsOf(session)
        inputs, fusionInputs = self._inputsOf("input", session), self._inputsOf("fusion", session)
        data = self._read(session, regions=True, progress=part(progress, 0, 0.1))
        aligned = None, None
        if settings.input_source == "image-derived":
            aligned = self._alignment(session, data, settings, part(progress, 0.1, 0.9))
        progress(0.9, _("Input function"))
        made = pipeline.visit_input(pipeline.place(data, settings, aligned), data.blood, settings)
        progress(1.0, _("Done"))
        if settings.input_source == "image-derived":
            self._keepAlignment(session, data, aligned, fusionInputs)
        self._keepInput(session, data.image.timing, input_record(made, data.blood), inputs)

    def _keepInput(self, session: str, timing, input_function, inputs: str) -> None:
        from . import plots

        chart = plots.draw(plots.input_chart(session, timing, input_function), session)
        chart.SetAttribute(study_nodes.MADE_FROM, inputs)

    def checkRegions(self, session: str) -> list[str]:
        """Every objection to the drawn regions, as sentences; kept with the visit."""
        from .regions import region_quality

        self._require("regions", session)
        inputs, visit = self._inputsOf("regions", session), self.visit(session)
        objections = [sentence(notice.message) for notice in region_quality(visit.segmentation, visit.petSequence)]
        study_nodes.store_text(session, study_nodes.QUALITY, "\n".join(objections), inputs)
        return objections

    def addTemplate(self, session: str, beforeChange=None) -> str:
        """Empty segments for the affected foramen, its counterparts, the cord and the blood pool; what came of it."""
        from . import regions

        study, visit = self.getParameterNode(), self.visit(session)
        self._requireNodes(visit.ctVolume, visit.segmentation)
        source = visit.segmentation.GetSegmentation()
        before = source.GetNumberOfSegments()
        regions.add_template(
            visit.segmentation,
            visit.ctVolume,
            study.level.value,
            study.side.value,
            beforeChange,
            self.settingsOf(session).unaffected,
        )
        added = source.GetNumberOfSegments() - before
        if not added:
            return _("All segments of the template are there already.")
        return _("Empty segments added: {count}. Draw them.").format(count=added)

    def _spinePart(self) -> str:
        """Part of the spine that the study is about; the neck where no foramen is chosen yet."""
        level = self.getParameterNode().level.value
        return LEVELS[level].part if level else "cervical"

    def proposeBloodPool(self, session: str, beforeChange=None, progress: Progress = silent) -> str:
        """Both carotids from the early frames, below the neck the aorta, as one segment; what came of it."""
        from . import regions

        visit = self.visit(session)
        self._requireNodes(visit.petSequence, visit.segmentation)
        progress(0.0, _("Looking for the arteries"))
        placed, _found = regions.propose_blood_pool(
            visit.petSequence,
            visit.segmentation,
            visit.ctVolume,
            visit.fwhm or None,
            before_change=beforeChange,
            below_neck=self._spinePart() != "cervical",
        )
        if placed.segment_id and not self.bloodPoolName(visit):
            visit.bloodPoolSegmentID = placed.segment_id
        made = _("{count} of {all} proposed; look at each before it is used.").format(count=1, all=1)
        return f"{placed.name}: {translated(placed.reason)}" if placed.reason else made

    def proposeForamina(self, session: str, beforeChange=None, progress: Progress = silent) -> str:
        """Foramina and pieces of cord from vertebrae; what came of them."""
        from . import regions

        visit = self.visit(session)
        self._requireNodes(visit.ctVolume, visit.segmentation, visit.labels)
        progress(0.0, _("Looking for the foramina"))
        placed, notices = regions.propose_foramina(
            visit.labels,
            visit.ctVolume,
            visit.segmentation,
            before_change=beforeChange,
            modality=self.settingsOf(session).anatomical_modality,
        )
        table = study_nodes.find_or_add(session, PROPOSALS, "vtkMRMLTableNode", f"TSPOQuant {session} proposals")
        tables.fill_table(table, placed, tables.proposal_columns())
        made = sum(bool(proposal.segment_id) for proposal in placed)
        message = _(
            "{count} of {all} proposed; look at each before it is used. The table says why the others were not."
        )
        return "\n".join(
            [message.format(count=made, all=len(placed)), *(sentence(notice.message) for notice in notices)]
        )

    def labelVertebrae(self, session: str, progress: Progress = silent) -> str:
        """Labels of the vertebrae by TotalSegmentator, chosen for the visit; what came of it."""
        from . import labeling

        visit = self.visit(session)
        self._requireNodes(visit.ctVolume)
        modality = self.settingsOf(session).anatomical_modality
        visit.labels = labeling.label_vertebrae(visit.ctVolume, self._spinePart(), progress, modality)
        count = visit.labels.GetSegmentation().GetNumberOfSegments()
        return _("Labels: {count}. Propose foramina from them.").format(count=count)

    def whyNotCarried(self, session: str) -> str:
        """Why regions cannot be carried to a visit from the first one; empty if they can."""
        first = self.sessions()[0]
        if session == first:
            return _("The first visit has regions of its own.")
        source = self.visit(first)
        return "" if source.ctVolume and source.segmentation else _("The first visit needs a CT or MR, and regions.")

    def carryRegions(self, session: str, progress: Progress = silent) -> str:
        """The first visit's regions in this visit's CT, as a segmentation of their own that is chosen here; what came
        of it."""
        from .carry import carry_regions

        first = self.sessions()[0]
        source, visit = self.visit(first), self.visit(session)
        self._requireNodes(visit.ctVolume)
        self._check(self.whyNotCarried(session))
        modality = self.settingsOf(session).anatomical_modality
        node, notices = carry_regions(source.segmentation, source.ctVolume, visit.ctVolume, first, progress, modality)
        visit.segmentation, visit.bloodPoolSegmentID = node, self.findBloodPool(node)
        self.showRegions(session)
        report = [
            _("Carried over; look at each region before it is used."),
            *(sentence(notice.message) for notice in notices),
        ]
        return "\n".join(report)

    def points(self, session: str):
        """The markups node for the two mouths of a foramen, made where there is none."""
        node = study_nodes.find(session, CLICKS, "vtkMRMLMarkupsFiducialNode")
        if node is None:
            node = study_nodes.find_or_add(session, CLICKS, "vtkMRMLMarkupsFiducialNode", _("foramen, two points"))
            node.SetMaximumNumberOfControlPoints(2)
            node.SetControlPointLabelFormat("%d")  # a name would cover what is clicked
            node.CreateDefaultDisplayNodes()
        return node

    def addTwoClick(self, session: str, beforeChange=None) -> None:
        """A foramen between the two points that were placed, first the inner mouth; the points are used up."""
        from . import regions

        visit, points = self.visit(session), self.points(session)
        self._requireNodes(visit.ctVolume, visit.segmentation)
        self._check(self.whyNoTwoClick(session))
        inner, outer = [0.0] * 3, [0.0] * 3
        points.GetNthControlPointPositionWorld(0, inner)
        points.GetNthControlPointPositionWorld(1, outer)
        regions.add_two_click(
            visit.segmentation,
            visit.ctVolume,
            inner,
            outer,
            visit.clickedLevel.value,
            visit.clickedSide.value,
            beforeChange,
            self.settingsOf(session).anatomical_modality,
        )
        points.RemoveAllControlPoints()

    def whyNoTwoClick(self, session: str) -> str:
        """What is missing before two points make a foramen; empty if nothing."""
        visit = self.visit(session)
        if not (visit.clickedLevel.value and visit.clickedSide.value):
            return _("Choose level and side of the foramen that the points mark.")
        if LEVELS[visit.clickedLevel.value].size_mm is None:
            return _("No size of this foramen is published: draw it with the Segment Editor.")
        points = study_nodes.find(session, CLICKS, "vtkMRMLMarkupsFiducialNode")
        if points is None or points.GetNumberOfDefinedControlPoints() != 2:
            return _("Place two points: the inner mouth of the foramen, then the outer one.")
        return ""

    def _requireNodes(self, *nodes) -> None:
        self._check("" if all(nodes) else _("Select the images and a segmentation first."))

    def quantify(self, session: str, progress: Progress = silent):
        """A visit from its images to V_T; the TSPOQuantLib.outcome.record.VisitRecord that the scene keeps."""
        from .. import pipeline

        for section in ("fusion", "kinetics"):
            self._require(section, session)
        inputs = {section: self._inputsOf(section, session) for section in SECTIONS[1:-1]}
        settings = self.settingsOf(session)
        data = self._read(session, regions=True, progress=part(progress, 0, 0.05))
        self._check("" if data.segmentation else _("Draw the regions to quantify."))
        aligned = self._alignment(session, data, settings, part(progress, 0.05, 0.5))
        result = (self._quantify or pipeline.quantify)(
            data,
            settings,
            aligned=aligned,
            progress=part(progress, 0.5, 1.0),
            inputs=self._provenance(session, data),
        )
        progress(1.0, _("Done"))
        record = self._accepted(session, result.record)
        study_nodes.store_record(record, inputs["kinetics"])
        self._keepAlignment(session, data, aligned, inputs["fusion"])
        self._keepInput(session, record.acquisition.timing, record.input, inputs["input"])
        study_nodes.store_text(session, study_nodes.QUALITY, lines(record.quality), inputs["regions"])
        self._fillTable(session, record)
        self._computed(session, data, aligned, settings)
        self.showRegion(session, self.mainRow(record).region)
        return record

    @staticmethod
    def _accepted(session: str, record: VisitRecord) -> VisitRecord:
        """What was accepted before is accepted as long as nothing of it changed."""
        from ..outcome.record import accepted_as

        try:
            before = study_nodes.stored_record(session)
        except InputRefused:  # of another version: its acceptance goes with it
            before = None
        return record if before is None else accepted_as(record, before)

    def _computed(self, session: str, data, aligned, settings) -> None:
        """Called when a visit was computed in full, with what it was computed from."""

    def _fillTable(self, session: str, record: VisitRecord, notices=None) -> None:
        """A visit's results as a table; notices: in place of the record's."""
        table = study_nodes.find_or_add(session, "results", "vtkMRMLTableNode", f"TSPOQuant {session} results")
        main = self.mainRow(record).region
        rows = sorted(record.rows, key=lambda row: row.region != main)  # what the study is about comes first
        columns = tables.result_columns(rows, uptake_of(record))
        tables.fill_table(table, rows, columns, record.notices if notices is None else notices)

    def retell(self) -> None:
        """Tables and charts of a scene that was loaded, in the words and the language of this application."""
        for session, record in self.readable().items():
            self._fillTable(session, record)
            self.showRegion(session, self.chartRegion(session))

    def _provenance(self, session: str, data) -> list[dict[str, str]]:
        """What a visit was computed from, as the command line tells its files: voxels of nodes, bytes of files."""
        from ..reporting.provenance import inputs

        anatomy = "CT volume" if data.ct is None or data.ct.is_ct else "MR volume"
        arrays = {"PET sequence": data.image.activity, anatomy: data.ct.values if data.ct else None}
        arrays |= {f"segment {segment.name}": segment.mask for segment in data.segmentation.segments}
        return [
            *(content.hashed(name, array) for name, array in arrays.items() if array is not None),
            *inputs([Path(self.visit(session).bloodFile)]),
        ]

    def mainRow(self, record: VisitRecord) -> RegionOutcome:
        """The affected foramen under the primary model; the first row where the study names none."""
        study = self.getParameterNode()
        row = record.row("foramen", study.level.value, study.side.value, record.models[0])
        return row or record.rows[0]

    def showRegion(self, session: str, region: str, pvc: str = "none") -> None:
        """Draw a region's curves and line into that visit's charts, and compare its models in a table."""
        from . import plots

        record = self.shownRecord(session)
        self._charted[session] = region
        plots.draw(plots.curves_chart(record, region, pvc), session)
        line = plots.line_chart(record, region, pvc)
        if line is not None:
            plots.draw(line, session)
        table = study_nodes.find_or_add(session, "models", "vtkMRMLTableNode", f"TSPOQuant {session} models")
        tables.fill_table(table, tables.model_rows(record, region, pvc), tables.model_columns())

    def chartRegion(self, session: str) -> str:
        """The region whose curve a visit's charts show; the affected foramen where none was chosen."""
        record = self.record(session)
        chosen = self._charted.get(session, "")
        known = any(region.name == chosen for region in self.shownRecord(session).regions)
        return chosen if known else self.mainRow(record).region

    def shownRecord(self, session: str) -> VisitRecord:
        """The results that the panel shows."""
        return self.record(session)

    def record(self, session: str):
        """The results of a visit as TSPOQuantLib.outcome.record.VisitRecord; refuses ("input-missing") without any."""
        record = study_nodes.stored_record(session)
        if record is None:
            raise refusal("input-missing", _("Compute the visit '{session}' first.").format(session=session))
        return record

    def makeMap(self, session: str, progress: Progress = silent):
        """A map of V_T, kept in the scene and shown over the CT; the volume node."""
        from .. import pipeline
        from . import maps

        for section in ("fusion", "input"):
            self._require(section, session)
        settings, visit = self.settingsOf(session), self.visit(session)
        self._check("" if visit.segmentation else _("Select a segmentation with the regions to quantify."))
        fusionInputs = self._inputsOf("fusion", session)
        data = self._read(session, regions=True, progress=part(progress, 0, 0.05))
        aligned = self._alignment(session, data, settings, part(progress, 0.05, 0.6))
        visitMaps = pipeline.make_visit_maps(data, settings, visit.mapModel.value, aligned, part(progress, 0.6, 1))
        progress(1.0, _("Done"))
        self._keepAlignment(session, data, aligned, fusionInputs)
        node = maps.keep(visitMaps, data.segmentation)
        maps.show(node, visit.ctVolume)
        return node

    # What the panel says

    def aboutPet(self, visit: TSPOQuantVisitParameterNode) -> str:
        """A PET sequence in one sentence; why it cannot be used, where it cannot."""
        try:
            header = self._header(visit)
        except InputRefused as refused:
            return translated(refused.message)
        if header is None:
            return ""
        tracer = header.scan.tracer or _("unknown tracer")
        zero = {"injection": _("injection"), "first frame": _("the first frame")}.get(
            header.time_zero, header.time_zero
        )
        return _("{frames} frames to {minutes:.0f} min from {zero}, {tracer}.").format(
            frames=len(header.timing), minutes=header.timing.ends_s[-1] / 60, zero=zero, tracer=tracer
        )

    def aboutFrames(self, session: str, number: int) -> str:
        """A frame of the PET, counted from 1 (0 for none), and those that the fits do not see."""
        try:
            header = self._header(self.visit(session))
        except InputRefused:
            header = None
        sentences = []
        if header is not None and 1 <= number <= len(header.timing):
            start, end = (Number(edges[number - 1] / 60) for edges in (header.timing.starts_s, header.timing.ends_s))
            sentences.append(
                _("Frame {number}, {start:.1f} to {end:.1f} min.").format(number=number, start=start, end=end)
            )
        left = [
            _("{number} ({reason})").format(number=frame, reason=why) for frame, why in self.leftOut(session).items()
        ]
        if left:
            sentences.append(_("Left out: {frames}.").format(frames=", ".join(left)))
        return " ".join(sentences)

    def aboutAlignment(self, session: str) -> str:
        """What the kept alignment found."""
        try:
            aligned = study_nodes.stored_alignment(session)
        except InputRefused as refused:
            return translated(refused.message)
        if aligned is None or aligned[0] is None:
            return ""
        motion, toCt = aligned
        report = [sentence(notice.message) for notice in (*motion.notices, *(toCt.notices if toCt else ()))]
        if toCt is not None:
            shift, angle = Number(toCt.shift_mm), Number(toCt.rotation_deg)
            report.insert(0, _("PET to anatomy: {shift:.1f} mm, {angle:.1f}°.").format(shift=shift, angle=angle))
        if self.shownAlignment(session):
            report.append(
                _("The views show each frame of the PET where this alignment puts it, as results and report do.")
            )
        return "\n".join(report)

    def aboutRegions(self, session: str) -> str:
        """What the last check of the regions found."""
        return study_nodes.text_of(session, study_nodes.QUALITY) or ""
