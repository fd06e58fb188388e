"""Without what makes a result or a report dear, for tests of all else."""

from unittest import mock


def without_budget():
    """Visits are quantified without the refits that tell how far every error of the input and the place moves V_T."""
    return mock.patch("TSPOQuantLib.pipeline.quantification.sensitivities", return_value=())


def without_report():
    """Comparisons are written without their report, whose pictures are drawn for its HTML and again for its PDF."""
    return mock.patch("TSPOQuantLib.reporting.report.write_report")


def without_pdf():
    """Reports are written as HTML; the PDF beside it is empty."""
    return mock.patch("TSPOQuantLib.reporting.report.pdf", return_value=b"")
