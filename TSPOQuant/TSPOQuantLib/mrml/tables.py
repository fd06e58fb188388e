"""Results -> vtkMRMLTableNode."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import vtk

from ..errors import Notice

# Attribute of the table node with what the whole visit is warned of, one line a warning.
NOTICES = "TSPOQuant.Notices"


@dataclass(frozen=True)
class Column:
    """One column: stable key (an attribute of the result row), what it is, unit, headline; numbers or text."""

    key: str
    description: str
    unit: str = ""
    headline: str = ""
    number: bool = True


# The result rows of the pipeline; what is looked for first comes first, the panel is narrow.
RESULT_COLUMNS = (
    Column("region", "name of the segment", number=False),
    Column("model", "kinetic model", number=False),
    Column("VT", "total distribution volume", "mL/cm3", "VT (Vr)"),
    Column("VT_se", "standard error of VT", "mL/cm3", "SE"),
    Column("K1", "rate of transfer from plasma to tissue", "mL/cm3/min"),
    Column("k2", "rate of return to plasma", "1/min"),
    Column("VB", "fraction of the region that is blood"),
    Column("flags", "reasons to be careful, as codes", number=False),
    Column("structure", "kind of region", number=False),
    Column("level", "cervical level", number=False),
    Column("root", "nerve root that leaves there", number=False),
    Column("side", "left, right or midline", number=False),
)


def _text(value: object) -> str:
    """A cell of a text column; a row's notices become their codes."""
    if value is None:
        return ""
    if isinstance(value, tuple):
        return ";".join(notice.code for notice in value)
    return str(value)


def _array(column: Column, rows: Sequence[object]):
    array = vtk.vtkDoubleArray() if column.number else vtk.vtkStringArray()
    array.SetName(column.key)
    for row in rows:
        value = getattr(row, column.key)
        if column.number:
            array.InsertNextValue(float("nan") if value is None else float(value))
        else:
            array.InsertNextValue(_text(value))
    return array


def fill_table(
    node, rows: Iterable[object], notices: Iterable[Notice] = (), columns: Sequence[Column] = RESULT_COLUMNS
) -> None:
    """Replace the content of a table node: one line a row, one column a key; numbers that are not known are nan."""
    rows = list(rows)
    was_modified = node.StartModify()
    try:
        node.RemoveAllColumns()
        for column in columns:
            node.AddColumn(_array(column, rows))
            node.SetColumnDescription(column.key, column.description)
            node.SetColumnUnitLabel(column.key, column.unit)
            node.SetColumnTitle(column.key, column.headline or column.key)  # table views add the unit
        node.SetUseColumnTitleAsColumnHeader(True)
        node.SetLocked(True)
        node.SetAttribute(NOTICES, "\n".join(f"{notice.code}: {notice.message}" for notice in notices))
    finally:
        node.EndModify(was_modified)
