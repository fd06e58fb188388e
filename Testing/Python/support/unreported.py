"""Without what makes a report dear, for tests of all else: each picture is drawn for HTML and again for PDF."""

from unittest import mock


def without_report():
    """Comparisons are written without their report."""
    return mock.patch("TSPOQuantLib.reporting.report.write_report")


def without_pdf():
    """Reports are written as HTML; the PDF beside it is empty."""
    return mock.patch("TSPOQuantLib.reporting.report.pdf", return_value=b"")
