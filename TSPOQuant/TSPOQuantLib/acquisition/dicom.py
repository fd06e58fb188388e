"""Read a dynamic PET, a static PET, a CT or an MR from DICOM (or NIfTI): whole, checked, in kBq/mL or HU."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.tag import Tag

from ..messages import InputRefused, Notice, Text
from ..progress import Progress, part, silent
from .dicom_files import MAX_RESCALE, FolderContent, Series, beyond_bits, find_series, read_pixels, truncated
from .dicom_geometry import check_uniform, locations, stack_grid
from .dicom_pet import PetSeries, as_one_frame, duplicate_slice, scan_of, understand_pet
from .dicom_slice import CT, ENHANCED_CT, ENHANCED_MR, ENHANCED_PET, LEGACY_PET, MR, PET, Facts, Slice
from .dicom_values import lossy_notices, number, text
from .foreign_files import refuse_foreign
from .frame_checks import FEWEST_CUT, check_frames, check_slopes, saturated_notices
from .frames import FrameTiming
from .image import HU, DynamicImage, Volume, tracer_told
from .large import room
from .modality import AUTO, as_mr, as_what_it_is, check_hu
from .modality import MR as MR_IMAGE
from .nifti import read_dynamic_nifti, read_volume_file
from .volume_files import is_nifti, is_volume_file


def read_dynamic_pet(
    path: Path, frame_table: FrameTiming | None = None, progress: Progress = silent, tracer: str = ""
) -> DynamicImage:
    """The only dynamic PET under ``path`` (file, or folder with any nesting; DICOM, or one NIfTI with its JSON).

    ``frame_table`` overrides the header's frame times; the result's notices say so. tracer: by the user, see
    ``tracer_told``. Activity is kBq/mL, decay-corrected to time zero. Raises InputRefused with every reason listed in
    dicom_pet, vendor_timing and suv, and: path-missing, folder-empty, dicom-none, format-foreign, nifti-folder,
    pet-none, pet-not-dynamic, pet-several-dynamic, tracer-radionuclide.
    """
    path = Path(path)
    if is_nifti(path):
        return tracer_told(read_dynamic_nifti(path, frame_table, tracer=tracer), tracer)
    found, pets = _pets(path, frame_table, part(progress, 0, 0.7), tracer)
    chosen, notices = _only(pets, "dynamic-pet", found)
    return tracer_told(_frames(path, found, chosen, notices, progress), tracer)


def read_pet(
    path: Path, frame_table: FrameTiming | None = None, progress: Progress = silent, tracer: str = ""
) -> DynamicImage:
    """As ``read_dynamic_pet``; where no series is dynamic, the only static one as an image of a single frame.

    Raises InputRefused as read_dynamic_pet does, and pet-several-static.
    """
    path = Path(path)
    if is_nifti(path):
        return tracer_told(read_dynamic_nifti(path, frame_table, may_be_static=True, tracer=tracer), tracer)
    found, pets = _pets(path, frame_table, part(progress, 0, 0.7), tracer)
    chosen, notices = _chosen(pets, found)
    understood = as_one_frame(chosen) if chosen.kind == "static-pet" else chosen
    return tracer_told(_frames(path, found, understood, notices, progress), tracer)


def _frames(
    path: Path, content: FolderContent, chosen: PetSeries, notices: tuple[Notice, ...], progress: Progress
) -> DynamicImage:
    """The pixels of a series that can be used."""
    assert chosen.grid is not None and chosen.timing is not None and chosen.time_zero is not None
    activity = room((len(chosen.timing), *chosen.grid.shape))
    cut = [0] * len(chosen.timing)
    for frame, stack in enumerate(chosen.stacks):
        part(progress, 0.7, 1)(frame / len(chosen.stacks), f"reading frame {frame + 1}")
        for piece, into in zip(stack, activity[frame], strict=True):
            scale = chosen.bq_per_value(piece) * float(chosen.to_kbq[frame])
            rescale(piece, into, scale)
            at_ceiling = _at_ceiling(piece, into, scale)
            cut[frame] += at_ceiling if at_ceiling >= FEWEST_CUT else 0  # slices are scaled each by itself
    check_frames(activity, chosen.to_kbq)
    check_slopes(activity, chosen.to_kbq, {piece.slope or 0.0 for stack in chosen.stacks for piece in stack})
    return DynamicImage(
        activity=activity,
        grid=chosen.grid,
        timing=chosen.timing,
        time_zero=chosen.time_zero,
        time_zero_at=chosen.time_zero_at,
        decay_correction=chosen.decay_correction,
        scan=chosen.scan,
        notices=(*chosen.notices, *notices, *saturated_notices(cut), *_bits(chosen.stacks), *_unreadable(content)),
        sources=(str(path),),
    )


def read_ct(path: Path, progress: Progress = silent) -> Volume:
    """The only CT under ``path`` in HU; localizers are passed over.

    Raises InputRefused as ``read_anatomical`` does, and ct-none for an MR.
    """
    found = read_anatomical(path, progress=progress)
    if not found.is_ct:
        raise InputRefused("ct-none", "{file} is an MR, no CT; check the path", file=Path(path).name)
    return found


def read_anatomical(path: Path, modality: str = AUTO, progress: Progress = silent) -> Volume:
    """The CT under ``path`` in HU, or the MR there as MR signal; localizers are passed over.

    modality: "CT" or "MR" where that is known; "auto" takes the CT where DICOM files of both are there, and a volume
    file as what it says or shows itself to be. Raises InputRefused: path-missing, folder-empty, dicom-none, ct-none,
    mr-none, ct-several, mr-several, anatomy-…, nifti-…, dicom-….
    """
    path = Path(path)
    if path.name.endswith(".seg.nrrd"):
        raise InputRefused("ct-none", "{file} is a segmentation, no CT or MR; check the path", file=path.name)
    if is_volume_file(path):
        return as_what_it_is(path, read_volume_file(path, ""), modality)
    found = _dicom(path, part(progress, 0, 0.7))
    series, beside = _only_anatomical(path, found, modality)
    stack = anatomical_stack(series)
    grid = stack_grid(stack, number(series.header, Tag("SliceThickness")))
    values = np.empty(grid.shape, dtype=np.float32)
    for position, piece in enumerate(stack):
        rescale(piece, values[position], 1.0)
    if is_ct(series):
        check_hu(path.name, values)
    lossy = lossy_notices(Text("the anatomical image"), series.facts.lossy)
    notices = (*beside, *lossy, *_bits([stack]), *_unreadable(found))
    volume = Volume(values, grid, HU, scan_of(series.facts, series.header), notices, (str(path),))
    return volume if is_ct(series) else as_mr(volume, path)


def pet_series(path: Path) -> Series:
    """The DICOM series that ``read_pet`` reads under ``path``, as files; raises InputRefused as that does."""
    found, pets = _pets(Path(path))
    return _chosen(pets, found)[0].series


def anatomical_series(path: Path, modality: str = AUTO) -> Series:
    """The DICOM series that ``read_anatomical`` reads under ``path``, as files; raises InputRefused as that does."""
    return _only_anatomical(Path(path), _dicom(Path(path), silent), modality)[0]


def _only_anatomical(path: Path, content: FolderContent, modality: str) -> tuple[Series, tuple[Notice, ...]]:
    """The one CT or, where there is none or the MR is asked for, the one MR; single slices beside it are told."""
    cts, mrs = ([candidate for candidate in content.series if test(candidate)] for test in (is_ct, is_mr))
    take_mr = modality == MR_IMAGE or (modality == AUTO and not cts and bool(mrs))
    kind, series = ("MR", mrs) if take_mr else ("CT", cts)
    if not series:
        for candidate in content.series:
            if (enhanced := enhanced_refusal(candidate.facts)) is not None:
                raise enhanced
        raise InputRefused(
            f"{kind.lower()}-none",
            "there is no {kind} under {path}, only {found}; check the path",
            kind=kind,
            path=path,
            found=describe_content(content),
        )
    volumes = [candidate for candidate in series if len(candidate.slices) > 1]
    strays = [other for other in series for volume in volumes if other is not volume and _same_voxels(other, volume)]
    if len(series) > 1 and (len(volumes) != 1 or strays):
        raise InputRefused(
            f"{kind.lower()}-several",
            "there are {n_series} {kind} series under {path} ({series}); give one of them",
            n_series=len(series),
            kind=kind,
            path=path,
            series=_listed(series),
        )
    if len(series) == 1:
        return series[0], ()
    return volumes[0], (
        Notice(
            "anatomy-others-passed-over",
            "single images beside the {kind} were passed over: {series}",
            kind=kind,
            series=_listed([candidate for candidate in series if candidate is not volumes[0]]),
        ),
    )


def _same_voxels(one: Series, other: Series) -> bool:
    """Whether slices of two series may be of one volume."""
    shared = ("rows", "columns", "pixel_spacing_mm", "orientation")
    return all(getattr(one.facts, name) == getattr(other.facts, name) for name in shared)


def enhanced_refusal(facts: Facts) -> InputRefused | None:
    """Why a CT or MR of many frames in one file is not read; None for what is neither."""
    if facts.sop_class in ENHANCED_CT:
        return InputRefused("ct-enhanced", "multi-frame CT is not read; export the classic CT images")
    if facts.sop_class in ENHANCED_MR:
        return InputRefused("mr-enhanced", "multi-frame MR is not read; export the classic MR images")
    return None


def anatomical_stack(series: Series) -> list[Slice]:
    """The slices of a CT or MR series along its normal, checked; an MR's need not state how they are rescaled."""
    check_uniform(series.slices)
    along, index = locations(series.slices)
    if len(along) < len(series.slices):
        raise duplicate_slice(series.slices, along, index)
    rescale_type = text(series.header, Tag("RescaleType")).upper()
    if is_ct(series) and rescale_type not in ("", "HU", "US"):
        raise InputRefused(
            "ct-units",
            "RescaleType (0028,1054) is {rescale_type}, not HU; use the original CT",
            rescale_type=rescale_type,
        )
    slices = series.slices
    if not is_ct(series):
        slices = tuple(
            replace(piece, slope=1.0 if piece.slope is None else piece.slope, intercept=piece.intercept or 0.0)
            for piece in slices
        )
    for piece in slices:
        if piece.truncated:
            raise truncated(piece)
        if any(value is None or not abs(value) < MAX_RESCALE for value in (piece.slope, piece.intercept)):
            raise InputRefused(
                "dicom-rescale",
                "{file}: RescaleSlope (0028,1053) or RescaleIntercept (0028,1052) is absent or no number; export the "
                "series again",
                file=Path(piece.path).name,
            )
    return [slices[position] for position in np.argsort(index)]


def rescale(piece: Slice, into: NDArray[np.float32], scale: float) -> None:
    """Write (slope x stored + intercept) x scale of one slice into a float32 (rows, columns) view."""
    stored = read_pixels(piece)
    if piece.slope == 0 and stored.any():
        raise InputRefused(
            "dicom-rescale",
            "{file}: RescaleSlope (0028,1053) is 0, and the slice holds counts; export the series again",
            file=Path(piece.path).name,
        )
    np.multiply(stored, (piece.slope or 0.0) * scale, out=into, casting="unsafe")
    if piece.intercept:  # PS3.3 C.8.9.4: always 0 in PET
        into += piece.intercept * scale


def _at_ceiling(piece: Slice, values: NDArray[np.float32], scale: float) -> int:
    """How many voxels of a rescaled slice hold the highest number that its bits can store."""
    bits = piece.bits_stored or piece.facts.bits or 0
    highest = ((1 << max(bits - piece.facts.signed, 0)) - 1) * (piece.slope or 0.0) + (piece.intercept or 0.0)
    return int(np.count_nonzero(values >= np.float32(highest * scale * (1 - 1e-6)))) if highest * scale > 0 else 0


def is_pet(series: Series) -> bool:
    return series.facts.sop_class in (PET, ENHANCED_PET, LEGACY_PET)


def is_ct(series: Series) -> bool:
    return series.facts.sop_class == CT and not series.facts.localizer


def is_mr(series: Series) -> bool:
    return series.facts.sop_class == MR and not series.facts.localizer


def describe_content(content: FolderContent) -> str:
    """What lies there, in words that name nobody."""
    parts = []
    known = {"PET": is_pet, "CT": is_ct, "MR": is_mr}
    for name, test in (*known.items(), ("other", lambda candidate: not any(known[kind](candidate) for kind in known))):
        series = [candidate for candidate in content.series if test(candidate)]
        if series:
            parts.append(f"{name}: {_listed(series)}")
    return "; ".join(parts) or "no image"


def _dicom(path: Path, progress: Progress) -> FolderContent:
    content = find_series(path, progress)
    if not content.series:
        refuse_foreign(path)
        raise InputRefused(
            "dicom-none",
            "there is no readable DICOM image under {path}{damaged}; check the path",
            path=path,
            damaged=content.damaged,
        )
    return content


def _pets(
    path: Path, frame_table: FrameTiming | None = None, progress: Progress = silent, tracer: str = ""
) -> tuple[FolderContent, list[PetSeries]]:
    content = _dicom(path, progress)
    return content, [understand_pet(series, frame_table, tracer) for series in content.series if is_pet(series)]


def _listed(series: list[Series]) -> str:
    return ", ".join(
        f"series {text(candidate.header, Tag('SeriesNumber')) or 'without number'} of {candidate.files} files"
        for candidate in series
    )


def _only(pets: list[PetSeries], kind: str, content: FolderContent) -> tuple[PetSeries, tuple[Notice, ...]]:
    """The one series of this kind; when only one of several is usable, that one, with a notice. Raises its refusal."""
    if not pets:
        raise InputRefused(
            "pet-none", "there is no PET here, only {found}; check the path", found=describe_content(content)
        )
    fitting = [pet for pet in pets if pet.kind == kind]
    name = kind.removesuffix("-pet")
    if not fitting:
        if all(pet.kind == "other" for pet in pets):
            _raise_first(pets[0])
        raise InputRefused(
            f"pet-not-{name}",
            "no PET here is {name}: {listed}, {highest} bed positions; check the path",
            name=name,
            listed=_listed([pet.series for pet in pets]),
            highest=max(pet.bed_positions for pet in pets),
        )
    usable = [pet for pet in fitting if not pet.refusals]
    if len(fitting) > 1 and len(usable) != 1:
        raise InputRefused(
            f"pet-several-{name}",
            "several {name} PET series are here ({listed}); give one of them, or, where they are parts of one scan, "
            "put each into a folder of its own and list these in their order as [pet] path",
            name=name,
            listed=_listed([pet.series for pet in fitting]),
        )
    if len(fitting) == 1:
        _raise_first(fitting[0])
        return fitting[0], ()
    passed_over = ", ".join(sorted({pet.refusals[0].code for pet in fitting if pet.refusals}))
    return usable[0], (
        Notice(
            "pet-others-passed-over",
            "other {name} PET series were not usable: {passed_over}",
            name=name,
            passed_over=passed_over,
        ),
    )


def _chosen(pets: list[PetSeries], content: FolderContent) -> tuple[PetSeries, tuple[Notice, ...]]:
    """The only dynamic series, or the only static one where none is dynamic."""
    kinds = {pet.kind for pet in pets}
    if "static-pet" not in kinds or "dynamic-pet" in kinds:
        return _only(pets, "dynamic-pet", content)
    chosen, notices = _only(pets, "static-pet", content)
    if chosen.decay_correction == "NONE" and chosen.bed_positions > 1:
        raise InputRefused(
            "pet-decay-reference", "bed positions that are not decay-corrected cannot be one image; correct them first"
        )
    return chosen, notices


def _raise_first(pet: PetSeries) -> None:
    if pet.refusals:
        raise pet.refusals[0]


def _bits(stacks: Sequence[Sequence[Slice]]) -> tuple[Notice, ...]:
    """Tell of bits that hold numbers and are said not to count; looked for in the middle of every stack, and in slices
    that state another number of bits than most do."""
    stated = Counter(piece.bits_stored for stack in stacks for piece in stack)
    usual = stated.most_common(1)[0][0]
    odd = [p for stack in stacks for p in stack if p.bits_stored != usual and beyond_bits(p, 2)]
    odd += [stack[len(stack) // 2] for stack in stacks if beyond_bits(stack[len(stack) // 2])]
    if not odd:
        return ()
    return (
        Notice(
            "dicom-bits",
            "by BitsStored (0028,0101) {stored} bits of a pixel count, and those above, which were left out, hold "
            "numbers in {file}: where they belong to the image, its values are wrong; correct the header",
            stored=odd[0].bits_stored,
            file=Path(odd[0].path).name,
        ),
    )


def _unreadable(content: FolderContent) -> tuple[Notice, ...]:
    if not content.unreadable:
        return ()
    return (
        Notice("dicom-unreadable", "{unreadable} damaged DICOM files were passed over", unreadable=content.unreadable),
    )
