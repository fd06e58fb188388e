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
from .language import Number, lines, shown_number, translated

# Attribute of the table node with what the whole visit is warned of, one line a warning.
NOTICES = "TSPOQuant.Notices"
# Properties of a column of numbers: how many decimals people see, and the key of the column with its standard error,
# which says better.
DECIMALS = "TSPOQuant.Decimals"
ERROR = "TSPOQuant.Error"


@dataclass(frozen=True)
class Column:
    """One column: stable key, what it is, unit, headline; numbers or text.

    value: what a row has there; None takes the row's attribute of that name. decimals: of a number; those of a
    quantity follow from its standard error, which is in the column error, where that is known.
    """

    key: str
    description: str
    unit: str = ""
    headline: str = ""
    number: bool = True
    value: Callable[[Any], object] | None = None
    decimals: int = 0
    error: str = ""


def result_columns(rows: Sequence[object], uptake: Sequence[RegionUptake] = ()) -> tuple[Column, ...]:
    """Columns of the pipeline's rows; what is looked for first comes first, the panel is narrow. Of the quantities
    those that some row has a value of.

    uptake: what needs no fit, of the same regions; it stands in every row of its region and correction.
    """
    vt, *others = COLUMNS
    known = [quantity for quantity in others if any(getattr(row, quantity.key) is not None for row in rows)]
    return (
        Column("region", _("name of the segment"), headline=_("region"), number=False),
        Column("model", _("kinetic model"), headline=_("model"), number=False),
        *_quantity_columns(vt),
        Column("flags", _("reasons to be careful"), headline=_("careful"), number=False),
        Column("pvc", _("partial-volume correction"), headline=_("partial volume"), number=False),
        *(column for quantity in known for column in _quantity_columns(quantity)),
        *_uptake_columns(uptake),
        Column("structure", _("kind of region"), headline=_("structure"), number=False),
        Column("level", translated(Text("level of the spine")), headline=_("level"), number=False),
        Column("root", _("nerve root that leaves there"), headline=_("root"), number=False),
        Column("side", _("left, right or midline"), headline=_("side"), number=False),
    )


def _quantity_columns(quantity: Quantity) -> tuple[Column, Column]:
    """A quantity and its standard error, with as many digits as the error says are known."""
    error = translated(Text("standard error of {quantity}", quantity=quantity.symbol))
    return (
        Column(
            quantity.key,
            translated(quantity.name),
            quantity.unit,
            quantity.title,
            decimals=quantity.decimals,
            error=quantity.error_key,
        ),
        # Its unit is that of the column before it, and would not fit into the panel's width.
        Column(quantity.error_key, error, headline=_("SE"), decimals=quantity.decimals, error=quantity.error_key),
    )


def _uptake_columns(uptake: Sequence[RegionUptake]) -> list[Column]:
    """SUV and its ratios, those that some region has."""
    found = {(row.region, row.pvc): row for row in uptake}

    def column(quantity: Quantity) -> Column:
        def value(row: Any) -> float | None:
            own = found.get((row.region, row.pvc))
            return None if own is None else own.value(quantity.key)

        return Column(
            quantity.key,
            translated(quantity.name),
            quantity.unit,
            quantity.symbol,
            value=value,
            decimals=quantity.decimals,
        )

    return [column(quantity) for quantity in UPTAKE if any(math.isfinite(row.value(quantity.key)) for row in uptake)]


def change_columns() -> tuple[Column, ...]:
    """Columns of TSPOQuantLib.outcome.change.RegionChange."""
    return (
        Column("region", _("name of the segment"), headline=_("region"), number=False),
        Column("model", _("kinetic model"), headline=_("model"), number=False),
        Column("baseline", _("V_T at the first visit"), "mL/cm3", _("first"), decimals=2),
        Column("followup", _("V_T at the later visit"), "mL/cm3", _("later"), decimals=2),
        Column("percent", _("change in percent of the first"), "%", _("change"), decimals=1),
        Column("percent_low", _("lower end of the 95 % interval"), "%", _("from"), decimals=1),
        Column("percent_high", _("upper end of the 95 % interval"), "%", _("to"), decimals=1),
        Column(
            "verdict",
            _("against repeatability"),
            headline=_("repeatability"),
            number=False,
            value=lambda change: translated(change.verdict.text),
        ),
        Column("followup_session", _("label of the later visit"), headline=_("visit"), number=False),
        Column("pvc", _("partial-volume correction"), headline=_("partial volume"), number=False),
    )


def proposal_columns() -> tuple[Column, ...]:
    """Columns of mrml.regions.Placed."""

    def outcome(row: Any) -> str:
        return _("proposed") if row.segment_id else _("declined") if row.code != "kept" else _("kept")

    def along(axis: int) -> Callable[[Any], float | None]:
        return lambda row: None if row.center_ras is None else row.center_ras[axis]

    return (
        Column("name", _("name of the segment"), headline=_("region"), number=False),
        Column("outcome", _("what became of it"), headline=_("outcome"), number=False, value=outcome),
        Column(
            "reason",
            _("why it was declined"),
            headline=_("reason"),
            number=False,
            value=lambda row: translated(row.reason),
        ),
        Column(
            "confidence",
            _("how often such a proposal is within 2 mm"),
            headline=_("within 2 mm"),
            value=lambda row: row.confidence if row.segment_id or row.code not in ("", "kept") else None,
            decimals=2,
        ),
        Column("code", _("stable name of the reason"), headline=_("code"), number=False),
        *(
            Column(letter.lower(), _("where it lies, or would have lain"), "mm", letter, value=along(axis), decimals=1)
            for axis, letter in enumerate("RAS")
        ),
    )


def reader_columns() -> tuple[Column, ...]:
    """Columns of study_review.ReaderRow."""
    return (
        Column("region", _("name of the segment"), headline=_("region"), number=False),
        Column("dice", _("overlap of the two, 0 to 1"), headline="Dice", decimals=2),
        Column("vt_percent", _("V_T against this visit's"), "%", "V_T", decimals=1),
        Column("distance_mm", _("distance of the middles"), "mm", _("apart"), decimals=1),
        Column("along_mm", _("of it along the canal, outward"), "mm", _("along"), decimals=1),
        Column("across_mm", _("of it across the canal"), "mm", _("across"), decimals=1),
        Column("volume_percent", _("volume against this visit's"), "%", _("volume"), decimals=0),
    )


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
        Column("aicc", _("difference of AICc from the best model"), headline="ΔAICc", decimals=1),
        Column("aic", _("difference of AIC from the best model"), headline="ΔAIC", decimals=1),
        Column("bic", _("difference of BIC from the best model"), headline="ΔBIC", decimals=1),
        Column("wrss", _("weighted sum of squared residuals"), "kBq2/mL2", "WRSS", decimals=4),
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
        best = (
            {key: min(getattr(compared, key) for compared in same) for key in ("aic", "aicc", "bic")}
            if fit in same
            else {}
        )
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
            decimals = decimals_for(getattr(row, column.error), column.decimals) if column.error else column.decimals
            known = value is not None and math.isfinite(value)
            array.InsertNextValue(round(float(value), decimals) if known else math.nan)
        else:
            array.InsertNextValue(_text(value))
    return array


def _headline(column: Column) -> str:
    """Begins with a capital letter, unless it is a symbol with a number: k2 is no K2."""
    words = column.headline or column.key
    symbol = " " not in words and any(map(str.isdigit, words))
    return words if symbol else words[:1].upper() + words[1:]


def fill_table(node, rows: Iterable[object], columns: Sequence[Column], notices: Iterable[Notice] = ()) -> None:
    """Replace the content of a table node: one line a row, one column a key; numbers that are not known are nan."""
    rows = list(rows)
    was_modified = node.StartModify()
    try:
        node.RemoveAllColumns()
        for column in columns:
            node.AddColumn(_array(column, rows))
            node.SetColumnDescription(column.key, column.description)
            node.SetColumnUnitLabel(column.key, "" if column.unit == "1" else column.unit)
            if column.number:
                node.SetColumnProperty(column.key, DECIMALS, str(column.decimals))
                node.SetColumnProperty(column.key, ERROR, column.error)
            node.SetColumnTitle(column.key, _headline(column))  # table views add the unit
        node.SetUseColumnTitleAsColumnHeader(True)
        node.SetLocked(True)
        node.SetAttribute(NOTICES, lines(notices))
    finally:
        node.EndModify(was_modified)


def cell(node, row: int, key: str) -> str:
    """Text of a cell by its column's key; "" where there is none."""
    columns = [node.GetColumnName(index) for index in range(node.GetNumberOfColumns())]
    return node.GetCellText(row, columns.index(key)) if key in columns and 0 <= row < node.GetNumberOfRows() else ""


def shown(node, row: int, column: int) -> str:
    """Text of a cell as people see it, in the language of the application: a value ends where its standard error
    does, zeros included; a dash stands for what is not known."""
    key = node.GetColumnName(column)
    usual = node.GetColumnProperty(key, DECIMALS)
    if not usual:
        return shown_number(node.GetCellText(row, column))
    table = node.GetTable()
    value, error = table.GetValue(row, column).ToDouble(), table.GetColumnByName(node.GetColumnProperty(key, ERROR))
    decimals = decimals_for(error.GetValue(row) if error else None, int(usual))
    return f"{Number(value):.{decimals}f}" if math.isfinite(value) else "–"
