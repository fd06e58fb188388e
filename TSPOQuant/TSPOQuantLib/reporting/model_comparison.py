"""Which model the data of each region support, side by side: a table beside those of the fits."""

from collections.abc import Mapping

from ..kinetics import KineticFit, compare, nested_tests
from ..kinetics.models import model_named
from ..outcome.visit import FittedTable

Row = dict[str, str | float | None]

ABOUT: Mapping[str, object] = {
    "AIC": {"Description": "n ln(WRSS/n) + 2p, difference from the best model of the region"},
    "AICc": {"Description": "AIC + 2p(p+1)/(n-p-1), difference from the best model of the region"},
    "BIC": {"Description": "n ln(WRSS/n) + p ln n, difference from the best model of the region"},
    "weight": {"Description": "Akaike weight by AICc"},
    "simpler": {"Description": "the model nested in this one that F and LR are against"},
    "F": {"Description": "F-test of the two weighted sums of squares"},
    "F-p": {"Description": "chance of an F as large if the simpler model were true"},
    "LR": {"Description": "likelihood ratio n ln(WRSS1/WRSS2)"},
    "LR-p": {"Description": "its chance by chi squared; for few frames F is the exact one"},
}


def comparison_rows(fitted: FittedTable) -> list[Row]:
    """A row a region and compartment model; empty where fewer than two were fitted.

    Graphical methods are not among them: they fit other frames or another ordinate.
    """
    chosen = [fits for model, fits in fitted.fits.items() if model_named(model).compartmental]
    if len(chosen) < 2:
        return []
    return [row for fits in zip(*chosen, strict=True) for row in _region(fits)]


def _region(fits: tuple[KineticFit, ...]) -> list[Row]:
    tests = {test.larger: test for test in nested_tests(fits)}
    rows: list[Row] = []
    for row in compare(fits):
        test = tests.get(row.model)
        rows.append(
            {
                "region": fits[0].region,
                "model": row.model,
                "parameters": row.n_parameters,
                "WRSS": row.wrss,
                "AIC": row.aic,
                "AICc": row.aicc,
                "BIC": row.bic,
                "weight": row.weight,
                "simpler": test.simpler if test else None,
                "F": test.f if test else None,
                "F-p": test.f_chance if test else None,
                "LR": test.ratio if test else None,
                "LR-p": test.ratio_chance if test else None,
            }
        )
    return rows
