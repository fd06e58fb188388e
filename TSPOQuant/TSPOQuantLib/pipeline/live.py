"""V_T while a region is drawn or the model is changed: of all that a full computation does, only what depends on the
change is done again, uncorrected for partial volume and without an error budget.

The numbers are those that the full computation gives for the same regions and settings, as long as alignment and
input function stay as they were (``Live.follows`` says for which settings they do).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from ..acquisition.image import DynamicImage
from ..acquisition.settings import ClockSettings
from ..alignment.settings import MotionSettings
from ..input_function import InputFunctionResult
from ..input_function.settings import ImageDerivedSettings, SampledSettings, SourceSettings
from ..kinetics import KineticFit
from ..kinetics.models import model_named
from ..kinetics.options import FitSettings
from ..outcome.record import VisitRecord
from ..outcome.recording import outcome_rows, region_record
from ..outcome.settings import StudySettings
from ..regions.anatomy import ANATOMY_ONLY
from ..regions.region import Region
from ..regions.smoothing import smoothed_to
from ..settings import part_of
from .curves import fitting_of
from .placement import Alignment, Placed, no_region, region_to_frame
from .plasma import body_curve, body_of

_RESTS_ON = (MotionSettings, ClockSettings, SourceSettings, SampledSettings, ImageDerivedSettings)


@dataclass(frozen=True, eq=False)
class Live:
    """One visit's results as far as they are worked out, and what they rest on.

    placed: image and place of the neck in every frame; its regions are not used. source: the input function.
    counts: (frames,) kBq/mL, what stands for the scan's counts. settings: those that ``record`` was made with.
    record: the full computation's; after a change without what is not done again: corrected curves, sensitivities.
    """

    placed: Placed
    source: InputFunctionResult
    counts: NDArray[np.float64]
    settings: StudySettings
    record: VisitRecord

    def follows(self, settings: StudySettings) -> bool:
        """Whether alignment, input function and the way in which regions are read are these settings', too."""
        names = {field.name for room in _RESTS_ON for field in fields(room)} | {"minimum_coverage", "smooth_to_mm"}
        if settings.smooth_to_mm is not None:
            names.add("fwhm_mm")  # the finer it is, the more is smoothed
        if settings.input_source != "image-derived":
            names.add("until_min")  # as far as the samples are made a curve
        return all(getattr(settings, name) == getattr(self.settings, name) for name in names)

    @property
    def missing(self) -> tuple[str, ...]:
        """Regions that wait for the fit of a model."""
        done = {(fit.region, fit.model) for fit in self.record.fits}
        names = [region.name for region in self.record.regions]
        return tuple(name for name in names if any((name, model) not in done for model in self.settings.models))

    def with_changes(
        self,
        settings: StudySettings,
        names: Sequence[str],
        drawn: Sequence[Region] = (),
        at_once: Collection[str] = (),
    ) -> "Live":
        """What becomes of it under these settings, which it must follow, with these regions drawn anew.

        names: of all regions that there are, in their order; others leave the record. drawn: those that changed or are
        new. at_once: regions to fit now if they wait for it; a graphical method always fits all, since its t* is
        common to all curves of a scan. Raises InputRefused ("regions-missing", and as reading and fitting do).
        """
        known = {region.name: region for region in self.record.regions}
        for region in drawn:
            known.pop(region.name, None)
            if region.anatomy.structure not in ANATOMY_ONLY:
                curve = self.placed.read(region, settings.minimum_coverage)
                known[region.name] = region_record(region, curve, None, {})
        regions = tuple(replace(known[name], corrected=None) for name in names if name in known)
        if not regions:
            raise no_region()
        again = {region.name for region in drawn}
        fitting = fitting_of(self.placed.image, self.counts, self.source, settings)
        kept = self._kept(settings, again)
        curves = {region.name: np.array(region.mean) for region in regions}
        fits: list[KineticFit] = []
        for model in settings.models:
            waiting = [name for name in curves if (name, model) not in kept]
            if model_named(model).compartmental:
                waiting = [name for name in waiting if name in again or name in at_once]
            elif waiting or len(curves) < len(self.record.regions):
                waiting = list(curves)
            new = {}
            if waiting:
                done = fitting.named(model, waiting, np.array([curves[name] for name in waiting]))
                new = dict(zip(waiting, done, strict=True))
            found = (new.get(name) or kept.get((name, model)) for name in curves)
            fits += [fit for fit in found if fit is not None]
        record = replace(
            self.record,
            models=settings.models,
            regions=regions,
            fits=tuple(fits),
            rows=outcome_rows(self.record.session, regions, fits),
            settings=self.record.settings | vars(part_of(FitSettings, settings)),
            pvc="none",
            sensitivities=(),
        )
        return replace(self, settings=settings, record=record)

    def _kept(self, settings: StudySettings, again: Collection[str]) -> dict[tuple[str, str], KineticFit]:
        """By region and model, the fits that stay as they are: same curve, same choices."""
        before, now = (vars(part_of(FitSettings, chosen)) | {"models": ()} for chosen in (self.settings, settings))
        if before != now:
            return {}
        kept = (fit for fit in self.record.fits if fit.pvc == "none" and fit.region not in again)
        return {(fit.region, fit.model): fit for fit in kept}


def live_of(image: DynamicImage, aligned: Alignment, settings: StudySettings, record: VisitRecord) -> Live:
    """What to keep once ``quantify`` gave this record with these settings; image and alignment as it used them."""
    kept = record.input.settings
    curve = replace(record.input.function, notices=record.notices, settings=kept)  # floats survive to the last digit
    source = InputFunctionResult(curve, None, None, None, None, record.notices, kept)
    if settings.smooth_to_mm is not None:
        image = smoothed_to(image, record.settings["fwhm_mm"], settings.smooth_to_mm)
    placed = Placed(image, (), region_to_frame(*aligned))
    return Live(placed, source, body_curve(image, body_of(image)), settings, record)
