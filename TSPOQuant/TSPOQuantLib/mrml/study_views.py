"""What the views show of a study: the images, regions and charts of one visit, and the place where it is looked at."""

from typing import Any

import slicer
import slicer.util
from slicer.i18n import tr as _

from ..display import PET_OPACITY
from ..messages import InputRefused
from ..progress import Progress, part, silent
from . import aligned_view, fusion, segmentations, sequence_io, study_nodes, views
from .study_logic import StudyLogic


class StudyViews(StudyLogic):
    """Display alone: no result depends on it."""

    _place = ""
    """Name of the region that the slice views were brought to last: other visits have one of the same name."""

    _outlined: Any = None
    """The segmentation that ``showRegions`` showed last as the visit's: the next scene may give its ID to another."""

    def __init__(self, *given, **named) -> None:
        super().__init__(*given, **named)
        self._emptied: dict[str, str] = {}
        """By ID, plot views that were left empty for want of a chart of the visit, and what chart that is."""

    def showRegions(self, session: str) -> None:
        """Outlines of this visit's regions; those of the others are hidden, or faint where they are asked for.

        What no visit has any more, since others were chosen or carried over in their place, is hidden, too.
        """
        shown = self.visit(session).segmentation
        compared = self.getParameterNode().showOtherVisits
        chosen = [self.visit(other).segmentation for other in self.sessions()]
        before = self._outlined
        if before is not None and before not in chosen and slicer.mrmlScene.IsNodePresent(before):
            fusion.outline(before, False)
        for node in chosen:
            if node is not None and node is not shown:
                fusion.outline(node, compared, opacity=0.4)
        if shown is not None:
            fusion.outline(shown, True)
        self._outlined = shown

    def followRegions(self, session: str) -> None:
        """Called when other regions were chosen: they are shown where those before them were."""
        shown = self.visit(session).segmentation
        if self._outlined is not None and shown is not None and shown is not self._outlined:
            self.showRegions(session)

    def showFused(
        self, session: str, opacity: float = PET_OPACITY, progress: Progress = silent, surfaces: bool = True
    ) -> None:
        """Put the PET over the CT in the slice views, in the layout of ours.

        surfaces: also the regions as surfaces in the 3-D view, which takes the longest.
        """
        visit = self.visit(session)
        progress(0.0, _("Showing PET over anatomy"))
        proxy = fusion.show_sequence(visit.petSequence)
        sequence_io.restore_units(visit.petSequence)
        self.placePet(session)
        fusion.show_fused(visit.ctVolume, proxy, opacity)
        for node in slicer.util.getNodesByClass("vtkMRMLSegmentationNode"):  # Slicer fills what it loads
            if node is not visit.segmentation and node.GetDisplayNode() is not None:
                node.GetDisplayNode().SetVisibility(False)
        self.showRegions(session)
        if visit.segmentation and surfaces:
            self.showSurfaces(session, part(progress, 0.4, 1))
        progress(1.0, _("Done"))

    def placePet(self, session: str) -> None:
        """Let the views show every frame where the alignment puts it on the CT, as long as that is up to date; where
        it was scanned without one."""
        madeFrom = self.shownAlignment(session)
        if not madeFrom:
            aligned_view.remove(session)
            return
        sequence = self.visit(session).petSequence
        if fusion.proxy_of(sequence) is None or aligned_view.is_shown(session, madeFrom):
            return
        from ..pipeline.placement import region_to_frame

        try:
            toFrames = region_to_frame(*study_nodes.stored_alignment(session))
        except InputRefused:  # the panel says why
            toFrames = None
        if toFrames is not None:
            aligned_view.show(session, sequence, toFrames, madeFrom)

    def shownAlignment(self, session: str) -> str:
        """Fingerprint of the alignment that the views show; "" where none is up to date, or none is asked for."""
        kept = study_nodes.find(session, study_nodes.ALIGNMENT, "vtkMRMLTextNode")
        step = self.step("fusion", session)
        madeFrom = kept.GetAttribute(study_nodes.MADE_FROM) if kept is not None else ""
        return madeFrom if madeFrom == step.inputs and not step.missing else ""

    def removeVisit(self, session: str) -> None:
        """Forget a visit's choices and results; its images, regions and files stay. The last visit cannot go."""
        aligned_view.remove(session)
        super().removeVisit(session)

    def showSurfaces(self, session: str, progress: Progress = silent) -> None:
        """This visit's regions as surfaces in the 3-D view."""
        progress(0.0, _("Surfaces for the 3-D view"))
        fusion.show_regions(self.visit(session).segmentation)

    def lacksSurfaces(self, session: str) -> bool:
        """Whether the 3-D view shows regions of another visit, and none of this one."""
        here = self.visit(session).segmentation
        others = [self.visit(other).segmentation for other in self.sessions() if other != session]
        return here is not None and not fusion.has_surfaces(here) and any(map(fusion.has_surfaces, others))

    def showVisit(self, session: str) -> None:
        """Let the views show this visit's images; as they are shown already where they are."""
        visit = self.visit(session)
        self.followVisit(session)
        shown = {composite.GetBackgroundVolumeID() for composite in views.composites()}
        if self._fusable(session) and visit.ctVolume.GetID() not in shown:
            self.showFused(session, surfaces=False)

    def showLoaded(self, session: str) -> None:
        """All of what there is of this visit's images in the views, as a whole."""
        visit = self.visit(session)
        if self._fusable(session):
            self.showFused(session, surfaces=False)
        elif visit.ctVolume is not None:
            fusion.style_ct(visit.ctVolume)
            slicer.util.setSliceViewerLayers(background=visit.ctVolume, foreground=None)
        else:
            proxy = fusion.show_sequence(visit.petSequence)
            fusion.style_pet(proxy)
            slicer.util.setSliceViewerLayers(background=proxy, foreground=None)
        views.fit_slices()

    def showPet(self, session: str) -> None:
        """Let the views show this visit's PET over its CT where they show its map."""
        ownMap = study_nodes.find(session, study_nodes.MAP, "vtkMRMLScalarVolumeNode")
        if ownMap is not None and ownMap.GetID() in views.shown_volumes() and self._fusable(session):
            self.showFused(session, surfaces=False)

    def _fusable(self, session: str) -> bool:
        visit = self.visit(session)
        return visit.ctVolume is not None and visit.petSequence is not None

    def showBeside(self, session: str) -> None:
        """Put the CT beside the PET, at the same places."""
        visit = self.visit(session)
        proxy = fusion.show_sequence(visit.petSequence)
        self.placePet(session)
        fusion.show_fused(visit.ctVolume, proxy, layout=None)
        self.showRegions(session)
        if views.show_beside(visit.ctVolume, proxy):
            # A new layout makes new views, and fits them to their volume when they are laid out.
            slicer.app.processEvents()
            views.match_beside()

    def followVisit(self, session: str) -> None:
        """Views that show another visit of the study show this one: its images, map, regions and charts."""
        self.showRegions(session)
        replaced: dict[str, Any] = {}
        for other in self.sessions():
            if other != session:
                replaced |= self._counterparts(other, session)
        if views.replace_volumes(replaced):
            self._goBack(session)
        for view in slicer.util.getNodesByClass("vtkMRMLPlotViewNode"):
            chart = slicer.mrmlScene.GetNodeByID(view.GetPlotChartNodeID() or "")
            if chart is None:
                role = self._emptied.pop(view.GetID(), "")
            elif chart.GetAttribute(study_nodes.SESSION) in {one for one in self.sessions() if one != session}:
                role = chart.GetAttribute(study_nodes.ROLE)
            else:
                continue
            here = study_nodes.find(session, role, "vtkMRMLPlotChartNode") if role else None
            if role and here is None:
                self._emptied[view.GetID()] = role
            view.SetPlotChartNodeID(here.GetID() if here is not None else None)

    def _counterparts(self, other: str, session: str) -> dict[str, Any]:
        """IDs of another visit's volumes that views may show, and this visit's volume in its place, or None."""
        there, here = self.visit(other), self.visit(session)
        found = {}
        if there.ctVolume is not None and there.ctVolume is not here.ctVolume:
            found[there.ctVolume.GetID()] = here.ctVolume
        proxy = fusion.proxy_of(there.petSequence)
        if proxy is not None and there.petSequence is not here.petSequence:
            found[proxy.GetID()] = self._petLike(here.petSequence, proxy)
        itsMap = study_nodes.find(other, study_nodes.MAP, "vtkMRMLScalarVolumeNode")
        if itsMap is not None and itsMap.GetID() in views.shown_volumes():
            ownMap = study_nodes.find(session, study_nodes.MAP, "vtkMRMLScalarVolumeNode")
            # Where none was made yet, PET over anatomy is looked at instead.
            found[itsMap.GetID()] = ownMap or self._petLike(here.petSequence, proxy)
        return found

    @staticmethod
    def _petLike(sequence, shown):
        """A sequence's volume for the views, in the range of colors of another visit's, to be compared with it.

        shown: the other's; None takes the range that suits it.
        """
        if sequence is None:
            return None
        proxy = fusion.show_sequence(sequence)
        sequence_io.restore_units(sequence)
        display = shown.GetDisplayNode() if shown is not None else None
        fusion.style_pet(proxy, (display.GetWindowLevelMin(), display.GetWindowLevelMax()) if display else None)
        return proxy

    def _goBack(self, session: str) -> None:
        """To the region of the place where another visit was looked at; to the whole images where there is none."""
        visit = self.visit(session)
        if not (self._place and self.goToRegion(session, self._place)):
            views.fit_slices()
        if visit.ctVolume is not None:
            fusion.style_ct(visit.ctVolume)

    def showWhole(self) -> None:
        """The images as a whole, in the body's own planes."""
        views.reset_planes()
        views.fit_slices()
        self._place = ""

    def goTo(self, session: str, segmentID: str) -> None:
        """Move all slice views to the middle of a segment, a foramen in the planes of its canal."""
        from ..regions.region import plain_name

        segmentation = self.visit(session).segmentation
        views.go_to_segment(segmentation, segmentID)
        self._place = plain_name(segmentation.GetSegmentation().GetSegment(segmentID).GetName())

    def goToRegion(self, session: str, region: str) -> bool:
        """Move all slice views to the region of that name, as results name it; whether it is drawn here."""
        segmentID = self._segmentOf(session, region)
        if segmentID:
            self.goTo(session, segmentID)
        return bool(segmentID)

    def lookedAt(self, session: str) -> str:
        """ID of the segment that the slice views were brought to last; "" for none of this visit."""
        return self._segmentOf(session, self._place)

    def _segmentOf(self, session: str, region: str) -> str:
        from ..regions.region import plain_name

        segmentation = self.visit(session).segmentation
        for segmentID in segmentation.GetSegmentation().GetSegmentIDs() if segmentation else ():
            if plain_name(segmentation.GetSegmentation().GetSegment(segmentID).GetName()) == region:
                return str(segmentID)
        return ""

    def goToAffected(self, session: str) -> bool:
        """Move all slice views to the foramen that the study is about; whether it is drawn here."""
        from ..regions.anatomy import identify

        study, segmentation = self.getParameterNode(), self.visit(session).segmentation
        wanted = "foramen", study.level.value, study.side.value
        for segmentID in segmentation.GetSegmentation().GetSegmentIDs() if segmentation else ():
            segment = segmentation.GetSegmentation().GetSegment(segmentID)
            if identify(segment.GetName(), segmentations.tags_of(segment)).place == wanted:
                self.goTo(session, segmentID)
                return True
        return False

    def selectFrame(self, session: str, frame: int) -> None:
        """Show a frame of a visit's PET in the slice views."""
        sequence = self.visit(session).petSequence
        if sequence is None or not 0 <= frame < sequence.GetNumberOfDataNodes():
            return
        proxy = fusion.show_sequence(sequence)
        browser = slicer.modules.sequences.logic().GetFirstBrowserNodeForSequenceNode(sequence)
        browser.SetSelectedItemNumber(frame)
        views.bring_in(proxy, PET_OPACITY)

    def showChart(self, session: str, role: str) -> bool:
        """Show one of a visit's charts in a plot view, beside the fused images where these lay side by side; False
        where there is none."""
        from . import plots

        chart = study_nodes.find(session, f"chart {role}", "vtkMRMLPlotChartNode")
        if chart is not None:
            if views.is_beside() and self._fusable(session):
                self.showFused(session, surfaces=False)
            plots.show(chart)
        return chart is not None
