"""From curves to V_T: the fits, for a visit's regions and for ready curves alike."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..acquisition.bids import PetSidecar, read_pet_json
from ..acquisition.blood import BloodSamples, reconcile
from ..acquisition.blood_files import read_blood
from ..acquisition.clock import SAME_START_S, blood_clock_notices
from ..acquisition.curve_checks import curve_notices
from ..acquisition.frame_checks import ROUNDED_S
from ..acquisition.frames import FrameTiming
from ..acquisition.image import DynamicImage, Scan
from ..acquisition.nifti import scan_of
from ..acquisition.population import read_population
from ..acquisition.tacs import Tacs, read_frame_weights, read_tacs, without_frames
from ..input_function import (
    GivenSettings,
    InputFunctionResult,
    PopulationSettings,
    SampledSettings,
    sampled_input,
)
from ..kinetics import (
    Coupled,
    FitChoices,
    FitOptions,
    KineticFit,
    fit,
    fit_coupled,
    with_intervals,
    with_start_of,
    within,
)
from ..kinetics import weights as frame_weights
from ..kinetics.models import model_named
from ..kinetics.options import FROM_FILE
from ..messages import InputRefused, Notice, Notices, Text
from ..outcome.visit import FittedTable
from ..reporting import provenance
from ..settings import part_of
from ..study import StudySettings
from .plasma import Seen, decay_notices, for_model, template_input
from .visit_data import blood_with_given

LISTED = f"{FROM_FILE}:"
"""Before the name of a table with weights, where a command names one."""


def fit_options(
    image: DynamicImage,
    curve: NDArray[np.float64],
    settings: StudySettings,
    listed: NDArray[np.float64] | None = None,
) -> FitOptions:
    """The study's choices for the fits; ``curve`` (frames,) in kBq/mL stands for the scan's counts.

    listed: the weights of a file (frames,), where the study names one. Raises InputRefused ("weights-file",
    "until-short", "leave-out-frame").
    """
    kept = seen_frames(image.timing, settings.leave_out)
    by_frame = np.zeros(len(kept))
    if settings.weights != FROM_FILE:
        by_frame[kept] = frame_weights(settings.weights, image.timing.only(kept), curve[kept], image.scan.half_life_s)
    elif listed is None:
        raise InputRefused(
            "weights-file",
            "weights from a file need it: add [model] weights_path to the study file, or choose other weights",
        )
    else:
        by_frame[kept] = listed[kept]
    chosen = within(by_frame, image.timing, settings.until_min)
    return FitOptions(**asdict(part_of(FitChoices, settings)), weights=chosen)


def seen_frames(timing: FrameTiming, leave_out: Mapping[str, str]) -> NDArray[np.bool_]:
    """Which frames (frames,) the fits see. Raises InputRefused ("leave-out-frame")."""
    return timing.without([int(number) for number in leave_out])


@dataclass(frozen=True, eq=False)
class Fitting:
    """What every fit of one scan shares.

    seen: frames (frames,) that are there for the fits; None: all. corrected_vb: so much of V_B at most takes the place
    of tissue in curves that were corrected for partial volume.
    """

    timing: FrameTiming
    source: InputFunctionResult
    options: FitOptions
    seen: NDArray[np.bool_] | None = None
    corrected_vb: float = 1.0

    def starting_as(self, fits: Sequence[KineticFit]) -> "Fitting":
        """The same from the t* that these fits were given or found."""
        return replace(self, options=with_start_of(self.options, fits))

    def fits(
        self,
        model: str,
        activity: NDArray[np.float64],
        near: Sequence[KineticFit] | None = None,
        pvc: str = "none",
    ) -> tuple[KineticFit, ...]:
        """One model on curves (n, frames) in kBq/mL, with the input as the model needs it; near: as for ``fit``; pvc:
        the partial-volume correction that the curves went through."""
        plasma = for_model(self.source, model, self.options)
        options = self.options if pvc == "none" else replace(self.options, tissue_vb=self.corrected_vb)
        if self.seen is None:
            return fit(model, self.timing, activity, plasma, options, near)
        options = only_seen(options, self.seen)
        fits = fit(model, self.timing.only(self.seen), activity[:, self.seen], plasma, options, near)
        return tuple(fitted.on_all_frames(self.seen) for fitted in fits)

    def named(
        self, model: str, regions: Sequence[str], activity: NDArray[np.float64], pvc: str = "none"
    ) -> tuple[KineticFit, ...]:
        """The same; each fit says to which region's curve, and which partial-volume correction that went through."""
        fits = self.fits(model, activity, pvc=pvc)
        return tuple(replace(fitted, region=region, pvc=pvc) for region, fitted in zip(regions, fits, strict=True))

    def coupled(self, models: Sequence[str], tacs: Tacs) -> dict[str, Coupled]:
        """Compartment models on ready curves with one V_B and one delay for all. Raises as ``fit_coupled`` does."""
        able = [model for model in models if model_named(model).compartmental] or models[:1]
        by_model = {}
        for model in able:
            plasma = for_model(self.source, model, self.options)
            coupled = fit_coupled(model, self.timing, tacs.activity, plasma, self.options)
            fits = tuple(replace(fit, region=name) for name, fit in zip(tacs.regions, coupled.fits, strict=True))
            by_model[model] = replace(coupled, fits=fits)
        return by_model

    def with_intervals(self, model: str, tacs: Tacs, asked: "CurveChoices") -> tuple[KineticFit, ...]:
        """One model on ready curves, with the intervals that were asked for."""
        fits = self.named(model, tacs.regions, tacs.activity)
        plasma = for_model(self.source, model, self.options)
        return with_intervals(fits, self.timing, tacs.activity, plasma, self.options, asked.profile, asked.draws)


def fitting_of(
    image: DynamicImage,
    curve: NDArray[np.float64],
    source: InputFunctionResult,
    settings: StudySettings,
    listed: NDArray[np.float64] | None = None,
) -> Fitting:
    """What the fits of a visit share; curve, listed: as for ``fit_options``."""
    seen = seen_frames(image.timing, settings.leave_out) if settings.leave_out else None
    options = fit_options(image, curve, settings, listed)
    return Fitting(image.timing, source, options, seen, corrected_vb(settings))


def corrected_vb(settings: StudySettings) -> float:
    """How much of V_B takes the place of tissue in corrected curves: of a V_B that is given, all."""
    return settings.pvc_tissue_vb if settings.vb == "fit" else 1.0


def only_seen(options: FitOptions, seen: NDArray[np.bool_]) -> FitOptions:
    """Options of all frames as those of the frames that the fits see (frames,)."""
    return replace(options, weights=None if options.weights is None else options.weights[seen])


TSTAR_IN_MIN = 120.0
"""A t* below this is more likely meant in minutes: none that is published lies so early."""
UNTIL_BEYOND = 2.0
"""An end so many times as late as the scan's own is more likely meant in seconds."""


def unit_notices(
    timing: FrameTiming, models: Sequence[str], options: FitChoices, until_min: float | None
) -> tuple[Notice, ...]:
    """Of a t* in s that looks like minutes, and an end in min that looks like seconds."""
    notices, end_min = Notices(), float(timing.ends_s[-1]) / 60
    graphical = any(not model_named(model).compartmental for model in models) and options.last_frames is None
    tstar_s = options.tstar_s
    if graphical and not isinstance(tstar_s, str) and 0 < tstar_s <= min(TSTAR_IN_MIN, end_min):
        notices.add(
            "tstar-early",
            "t* is {tstar_s:g} s, when the tracer has barely come; it is given in seconds ({tstar_s:g} min are "
            "{seconds:g} s)",
            tstar_s=tstar_s,
            seconds=60 * tstar_s,
        )
    if until_min is not None and until_min >= UNTIL_BEYOND * end_min:
        notices.add(
            "until-beyond",
            "the fits were to end at {until_min:g} min, and the scan ends at {end_min:.4g} min: no frame is left "
            "out; the end is given in minutes",
            until_min=until_min,
            end_min=end_min,
        )
    return tuple(notices)


def unused_notices(models: Sequence[str], options: FitChoices, asked: "CurveChoices") -> tuple[Notice, ...]:
    """Of options that change nothing with these models and this input, and so look as if they had."""
    graphical = any(not model_named(model).compartmental for model in models)
    started = options.tstar_s != "auto" or options.last_frames is not None
    unused = (
        ("--tstar, --frames", Text("only a graphical method has a line that starts"), started and not graphical),
        ("--weight", Text("only a template is scaled by weight"), asked.weight_kg is not None and not asked.template),
    )
    return tuple(
        Notice("option-unused", "{option} has no effect here: {why}", option=option, why=why)
        for option, why, given in unused
        if given
    )


@dataclass(frozen=True)
class CurveChoices:
    """What may be asked of ready curves besides the fit itself.

    leave_out: the reason ("" for none) by the number of a frame, from 1; until_min: the end of the fit. The rest is
    fitted as if the file ended or had a gap there. profile, draws: intervals by profile likelihood, and by so many
    refits of the bootstrap. sampled: how blood samples become an input. given: a ready curve, and
    what it is. coupled: whether compartment models are also fitted with one V_B and one delay for all curves.
    template: of one's own cohort, and how it is brought to this person, of this weight.
    """

    leave_out: Mapping[str, str] = field(default_factory=dict)
    until_min: float | None = None
    profile: bool = False
    draws: int = 0
    sampled: SampledSettings = field(default_factory=SampledSettings)
    coupled: bool = False
    given: Path | None = None
    about_given: GivenSettings = field(default_factory=GivenSettings)
    template: Path | None = None
    about_template: PopulationSettings = field(default_factory=PopulationSettings)
    weight_kg: float | None = None


def fit_tacs(
    tacs_path: Path,
    blood_paths: Sequence[Path],
    models: Sequence[str],
    options: FitOptions,
    weights: str = "uniform",
    blood_json: Path | None = None,
    pet_json: Path | None = None,
    asked: CurveChoices | None = None,
) -> FittedTable:
    """Fit models to ready curves with blood from files; ``options.weights`` is filled from ``weights``.

    weights: a kind that kinetics.weights knows, or the table that lists them ("file:W.tsv").
    Raises InputRefused ("intervals-model", "leave-out-frame", "until-short", and what reading and fitting raise).
    """
    asked = CurveChoices() if asked is None else asked
    compartmental = [model_named(model).compartmental for model in models]  # unknown ones are refused before the work
    if (asked.profile or asked.draws) and not any(compartmental):
        raise InputRefused(
            "intervals-model",
            "profile and bootstrap need a compartment model; add one to --models, or ask without --profile and "
            "--bootstrap",
        )
    sidecar = read_pet_json(pet_json) if pet_json else None
    whole = read_tacs(tacs_path, frames=sidecar.timing if sidecar else None)
    _check_decay(tacs_path, whole, sidecar)
    tacs = without_frames(whole, [int(number) for number in asked.leave_out], asked.until_min)
    blood = reconcile(_blood_of(blood_paths, blood_json, asked), tacs.timing, tacs.activity)
    source = _input_of(blood, tacs, sidecar, asked)
    half_life, injected_s = (sidecar.half_life_s, sidecar.injection_start_s) if sidecar else (None, 0.0)
    at_injection = abs(injected_s or 0.0) <= SAME_START_S
    clock = blood_clock_notices(blood.counted_from, float(whole.timing.starts_s[0]), at_injection)
    table = Path(weights.removeprefix(LISTED)) if weights.startswith(LISTED) else None
    kind = FROM_FILE if table else weights
    if table:
        by_frame = read_frame_weights(table, whole.timing)[np.isin(whole.timing.starts_s, tacs.timing.starts_s)]
    else:
        by_frame = frame_weights(weights, tacs.timing, tacs.activity.mean(axis=0), half_life)
    fitting = Fitting(tacs.timing, source, replace(options, weights=by_frame))
    files = [
        tacs_path,
        *blood_paths,
        *(path for path in (asked.given, asked.template, blood_json, pet_json, table) if path),
    ]
    fits = {model: fitting.with_intervals(model, tacs, asked) for model in models}
    notices = (
        *tacs.notices,
        *_curve_notices(whole, tacs, sidecar),
        *_frames_notices(tacs_path, whole.timing, pet_json, sidecar),
        *unit_notices(whole.timing, models, options, asked.until_min),
        *unused_notices(models, options, asked),
        *blood.notices,
        *decay_notices(blood, half_life),
        *clock,
        *source.notices,
    )
    return FittedTable(
        regions=tacs.regions,
        timing=tacs.timing,
        activity=tacs.activity,
        fits=fits,
        input=source,
        blood=blood,
        coupled=fitting.coupled(models, tacs) if asked.coupled else {},
        population_errors=_template_errors(fitting, tacs, fits),
        weights=kind,
        notices=tuple(dict.fromkeys(notices)),
        provenance={
            "inputs": provenance.inputs(files),
            "versions": provenance.versions(),
            "settings": asdict(options) | {"weights": kind, "models": list(models)} | _recorded(asked),
            "input_function": source.settings,
            "curves": {"pvc": tacs.pvc, "fwhm_mm": tacs.fwhm_mm, "volumes_mm3": dict(tacs.volumes_mm3)},
        },
    )


def _blood_of(paths: Sequence[Path], about: Path | None, asked: CurveChoices) -> BloodSamples:
    """What the input is made of: samples, a ready curve, or a template with the samples that scale it."""
    if asked.template:
        samples = read_blood(paths, about) if paths else BloodSamples()
        return replace(samples, population=read_population(asked.template))
    if asked.given:
        return blood_with_given(asked.given, paths, asked.about_given, json=about)
    return read_blood(paths, about)


def _input_of(blood: BloodSamples, tacs: Tacs, sidecar: PetSidecar | None, asked: CurveChoices) -> InputFunctionResult:
    """The input function of ready curves, until their end."""
    end_s = float(tacs.timing.ends_s[-1])
    if not asked.template:
        return sampled_input(blood, end_s, asked.sampled)
    scan = replace(scan_of(sidecar) if sidecar else Scan(), weight_kg=asked.weight_kg)
    seen = Seen(tacs.timing, tacs.activity.mean(axis=0), blood=False)
    return template_input(blood, scan, seen, end_s, asked.about_template)


def _check_decay(path: Path, tacs: Tacs, sidecar: PetSidecar | None) -> None:
    """Refuse ("tacs-decay") curves of a scan that was not decay-corrected, where nothing says that they were."""
    if tacs.corrected is None and sidecar is not None and sidecar.decay_corrected is False:
        raise InputRefused(
            "tacs-decay",
            "the scan's JSON says ImageDecayCorrected false, and nothing says that the curves of {path_name} were "
            "corrected; correct them, and say ImageDecayCorrected true in a JSON beside them",
            path_name=path.name,
        )


def _curve_notices(whole: Tacs, tacs: Tacs, sidecar: PetSidecar | None) -> tuple[Notice, ...]:
    """What speaks against the curves that are fitted; whole: as they were read."""
    numbers = (np.flatnonzero(np.isin(whole.timing.starts_s, tacs.timing.starts_s)) + 1).tolist()
    notices = curve_notices(tacs.timing, tacs.regions, tacs.activity, numbers, _leave_out)
    if tacs.corrected or (sidecar is not None and sidecar.decay_corrected):
        return notices
    assumed = Notice(
        "tacs-decay-assumed",
        "nothing says whether the curves are decay-corrected; taken as corrected to the time zero of the blood (say "
        "ImageDecayCorrected true in a JSON beside them, or name the scan's with --pet-json)",
    )
    return (*notices, assumed)


def _frames_notices(
    path: Path, timing: FrameTiming, pet_json: Path | None, sidecar: PetSidecar | None
) -> tuple[Notice, ...]:
    """Tell of a scan's JSON that lists other frames than the curves have."""
    if pet_json is None or sidecar is None:
        return ()
    other = sidecar.timing
    if len(other) == len(timing) and np.abs(other.starts_s - timing.starts_s).max() <= ROUNDED_S:
        return ()
    return (
        Notice(
            "pet-json-frames",
            "{file} has {count} frames from {start:g} to {end:g} s, and {json} lists {other_count} from "
            "{other_start:g} to {other_end:g} s that do not start alike; make sure that both are of one scan, and "
            "that the blood counts from the same moment as the curves",
            file=path.name,
            count=len(timing),
            start=timing.starts_s[0],
            end=timing.ends_s[-1],
            json=pet_json.name,
            other_count=len(other),
            other_start=other.starts_s[0],
            other_end=other.ends_s[-1],
        ),
    )


def _leave_out(numbers: Sequence[int]) -> str:
    return f"--leave-out {','.join(map(str, numbers))}"


def _recorded(asked: CurveChoices) -> dict[str, object]:
    """The choices as the outputs tell them, which name files among their inputs alone."""
    choices: dict[str, object] = asdict(asked)
    kept = {key: choices[key] for key in choices if key not in ("given", "about_given", "template", "about_template")}
    return kept | asdict(asked.about_given) | asdict(asked.about_template)


def population_errors(
    fitting: Fitting, model: str, activity: NDArray[np.float64], fits: Sequence[KineticFit]
) -> tuple[float, ...]:
    """Standard deviation of ln V_T of every curve that a template brings: V_T by every scan of it against ``fits``.

    nan where V_T is none, and for an input that was measured.
    """
    spread = fitting.source.population
    if spread is None:
        return (float("nan"),) * len(fits)
    same, total = fitting.starting_as(fits), np.zeros(len(fits))
    volumes = np.array([fitted.outcome_value for fitted in fits])
    for other, sd in zip(spread.inputs, spread.sds, strict=True):
        by_other = replace(same, source=replace(fitting.source, input_function=other)).fits(model, activity)
        with np.errstate(divide="ignore", invalid="ignore"):
            total += (sd * np.log(np.array([fitted.outcome_value for fitted in by_other]) / volumes)) ** 2
    return tuple(np.sqrt(total).tolist())


def _template_errors(
    fitting: Fitting, tacs: Tacs, fits: Mapping[str, tuple[KineticFit, ...]]
) -> dict[str, tuple[float, ...]]:
    """By model, the standard deviation of ln V_T of every curve that a template brings; nothing for other inputs."""
    if fitting.source.population is None:
        return {}
    return {model: population_errors(fitting, model, tacs.activity, fitted) for model, fitted in fits.items()}
