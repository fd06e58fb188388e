"""Results -> vtkMRMLTableNode."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import vtk
from slicer.i18n import tr as _

from ..messages import Notice, Text
from ..outcome.record import VisitRecord
from ..outcome.uptake import RegionUptake
from ..quantities import COLUMNS, UPTAKE, Quantity, decimals_for
from .language import lines, translated

# Attribute of the table node with what the whole visit is warned of, one line a warning.
NOTICES = "TSPOQuant.Notices"


@dataclass(frozen=True)
class Column:
    """One column: stable key, what it is, unit, headline; numbers or text.

    value: what a row has there; None takes the row's attribute of that name.
    """

    key: str
    description: str
    unit: str = ""
    headline: str = ""
    number: bool = True
    value: Callable[[object], object] | None = None


def result_columns(rows: Sequence[object], uptake: Sequence[RegionUptake] = ()) -> tuple[Column, ...]:
    """Columns of the pipeline's rows; what is looked for first comes first, the panel is narrow. Of the quantities
    those that some row has a value of.

    uptake: what needs no fit, of the same regions; it stands in every row of its region and correction.
    """
    vt, *others = COLUMNS
    return (
        Column("region", _("name of the segment"), headline=_("region"), number=False),
        Column("model", _("kinetic model"), headline=_("model"), number=False),
        *_quantity_columns(vt),
        Column("flags", _("reasons to be careful"), headline=_("careful"), number=False),
        Column("pvc", _("partial-volume correction"), headline=_("partial volume"), number=False),
        *(column for one in others if _is_known(one.key, rows) for column in _quantity_columns(one)),
        *_uptake_columns(uptake),
        Column("structure", _("kind of region"), headline=_("structure"), number=False),
        Column("level", translated(Text("level of the spine")), headline=_("level"), number=False),
        Column("root", _("nerve root that leaves there"), headline=_("root"), number=False),
        Column("side", _("left, right or midline"), headline=_("side"), number=False),
    )


def _quantity_columns(one: Quantity) -> tuple[Column, Column]:
    """A quantity and its standard error, with as many digits as the error says are known."""

    def rounded(key: str) -> Callable[[Any], float | None]:
        def value(row: Any) -> float | None:
            found, error = getattr(row, key), getattr(row, one.error_key)
            return None if found is None else round(found, decimals_for(error, one.decimals))

        return value

    error = Text("standard error of {quantity}", quantity=one.symbol)
    return (
        Column(one.key, translated(one.name), one.unit, one.title, value=rounded(one.key)),
        # Its unit is that of the column before it, and would not fit into the panel's width.
        Column(one.error_key, translated(error), headline=_("SE"), value=rounded(one.error_key)),
    )


def _uptake_columns(uptake: Sequence[RegionUptake]) -> list[Column]:
    """SUV and its ratios, those that some region has."""
    found = {(row.region, row.pvc): row for row in uptake}

    def column(one: Quantity) -> Column:
        def value(row: Any) -> float | None:
            own = found.get((row.region, row.pvc))
            return None if own is None else round(own.value(one.key), one.decimals)

        return Column(one.key, translated(one.name), one.unit, one.symbol, value=value)

    return [column(one) for one in UPTAKE if any(math.isfinite(row.value(one.key)) for row in uptake)]


def _is_known(key: str, rows: Sequence[object]) -> bool:
    return any(getattr(row, key) is not None for row in rows)


def _rounded(key: str, decimals: int) -> Callable[[Any], float | None]:
    def value(row: Any) -> float | None:
        found = getattr(row, key)
        return None if found is None else round(found, decimals)

    return value


def _difference(key: str, description: str, headline: str) -> Column:
    """A difference of an information criterion; a dash where it means nothing."""

    def value(row: object) -> str:
        found = getattr(row, key)
        return f"{found:.1f}" if math.isfinite(found) else "–"

    return Column(key, description, headline=headline, number=False, value=value)


def change_columns() -> tuple[Column, ...]:
    """Columns of TSPOQuantLib.outcome.compare.RegionChange."""
    return (
        Column("region", _("name of the segment"), headline=_("region"), number=False),
        Column("model", _("kinetic model"), headline=_("model"), number=False),
        Column("baseline", _("V_T at the first visit"), "mL/cm3", _("first"), value=_rounded("baseline", 2)),
        Column("followup", _("V_T at the later visit"), "mL/cm3", _("later"), value=_rounded("followup", 2)),
        Column("percent", _("change in percent of the first"), "%", _("change"), value=_rounded("percent", 1)),
        Column("percent_low", _("lower end of the 95 % interval"), "%", _("from"), value=_rounded("percent_low", 1)),
        Column("percent_high", _("upper end of the 95 % interval"), "%", _("to"), value=_rounded("percent_high", 1)),
        Column("verdict", _("against repeatability"), headline=_("repeatability"), number=False, value=_verdict),
        Column("followup_session", _("label of the later visit"), headline=_("visit"), number=False),
        Column("pvc", _("partial-volume correction"), headline=_("partial volume"), number=False),
    )


def proposal_columns() -> tuple[Column, ...]:
    """Columns of mrml.regions.Placed."""

    def outcome(row: Any) -> str:
        return _("proposed") if row.segment_id else _("declined") if row.code != "kept" else _("kept")

    def along(axis: int) -> Callable[[Any], float | None]:
        return lambda row: None if row.center_ras is None else round(row.center_ras[axis], 1)

    return (
        Column("name", _("name of the segment"), headline=_("region"), number=False),
        Column("outcome", _("what became of it"), headline=_("outcome"), number=False, value=outcome),
        Column("reason", _("why it was declined"), headline=_("reason"), number=False, value=_reason),
        Column("confidence", _("how often such a proposal is within 2 mm"), headline=_("within 2 mm"), value=_sure),
        Column("code", _("stable name of the reason"), headline=_("code"), number=False),
        *(
            Column(letter.lower(), _("where it lies, or would have lain"), "mm", letter, value=along(axis))
            for axis, letter in enumerate("RAS")
        ),
    )


def _reason(row: Any) -> str:
    return translated(row.reason)


def _sure(row: Any) -> float | None:
    return round(row.confidence, 2) if row.segment_id or row.code not in ("", "kept") else None


def reader_columns() -> tuple[Column, ...]:
    """Columns of study_review.ReaderRow."""
    return (
        Column("region", _("name of the segment"), headline=_("region"), number=False),
        Column("dice", _("overlap of the two, 0 to 1"), headline="Dice", value=_rounded("dice", 2)),
        Column("vt_percent", _("V_T against this visit's"), "%", "V_T", value=_rounded("vt_percent", 1)),
        Column("distance_mm", _("distance of the middles"), "mm", _("apart"), value=_rounded("distance_mm", 1)),
        Column("along_mm", _("of it along the canal, outward"), "mm", _("along"), value=_rounded("along_mm", 1)),
        Column("across_mm", _("of it across the canal"), "mm", _("across"), value=_rounded("across_mm", 1)),
        Column(
            "volume_percent", _("volume against this visit's"), "%", _("volume"), value=_rounded("volume_percent", 0)
        ),
    )


def _verdict(change) -> str:
    return translated(change.verdict.text)


@dataclass(frozen=True)
class ModelRow:
    """One model of a region beside the others; aic, aicc, bic: differences from the best that can be compared."""

    model: str
    wrss: float
    parameters: int
    frames: int
    aic: float
    aicc: float
    bic: float


def model_columns() -> tuple[Column, ...]:
    return (
        Column("model", _("kinetic model"), headline=_("model"), number=False),
        _difference("aicc", _("difference of AICc from the best model"), "ΔAICc"),
        _difference("aic", _("difference of AIC from the best model"), "ΔAIC"),
        _difference("bic", _("difference of BIC from the best model"), "ΔBIC"),
        Column("wrss", _("weighted sum of squared residuals"), "kBq2/mL2", "WRSS", value=_rounded("wrss", 4)),
        Column("parameters", _("number of fitted parameters"), headline=_("parameters")),
        Column("frames", _("number of frames"), headline=_("frames")),
    )


def model_rows(record: VisitRecord, region: str, pvc: str = "none") -> tuple[ModelRow, ...]:
    """The models of one region. Only those fitted to the same data under the same weights can be compared: the
    compartment models with each other; a graphical method stands alone, its differences are not known."""
    fits = [fit for fit in record.fits if (fit.region, fit.pvc) == (region, pvc)]
    same = [fit for fit in fits if fit.line is None]
    rows = []
    for fit in fits:
        best = {key: min(getattr(one, key) for one in same) for key in ("aic", "aicc", "bic")} if fit in same else {}
        differences = {key: getattr(fit, key) - best[key] if best else float("nan") for key in ("aic", "aicc", "bic")}
        rows.append(ModelRow(fit.model, fit.wrss, fit.n_parameters, fit.n_frames, **differences))
    return tuple(rows)


def _text(value: object) -> str:
    """A cell of a text column; a row's notices are told in words."""
    if value is None:
        return ""
    if isinstance(value, tuple):
        return "; ".join(translated(notice.message) for notice in value)
    return str(value)


def _array(column: Column, rows: Sequence[object]):
    array = vtk.vtkDoubleArray() if column.number else vtk.vtkStringArray()
    array.SetName(column.key)
    value_of = column.value or attrgetter(column.key)
    for row in rows:
        value: Any = value_of(row)
        if column.number:
            array.InsertNextValue(float("nan") if value is None else float(value))
        else:
            array.InsertNextValue(_text(value))
    return array


def fill_table(node, rows: Iterable[object], columns: Sequence[Column], notices: Iterable[Notice] = ()) -> None:
    """Replace the content of a table node: one line a row, one column a key; numbers that are not known are nan."""
    rows = list(rows)
    was_modified = node.StartModify()
    try:
        node.RemoveAllColumns()
        for column in columns:
            node.AddColumn(_array(column, rows))
            node.SetColumnDescription(column.key, column.description)
            node.SetColumnUnitLabel(column.key, column.unit)
            headline = column.headline[:1].upper() + column.headline[1:]
            node.SetColumnTitle(column.key, headline or column.key)  # table views add the unit
        node.SetUseColumnTitleAsColumnHeader(True)
        node.SetLocked(True)
        node.SetAttribute(NOTICES, lines(notices))
    finally:
        node.EndModify(was_modified)


def cell(node, row: int, key: str) -> str:
    """Text of a cell by its column's key; "" where there is none."""
    columns = [node.GetColumnName(index) for index in range(node.GetNumberOfColumns())]
    return node.GetCellText(row, columns.index(key)) if key in columns and 0 <= row < node.GetNumberOfRows() else ""
