"""One visit of the simulated neck, as ``write_phantom`` writes it beside the other, in half the time."""

from unittest import mock

from TSPOQuantLib.phantom import visits, write_phantom


def write_one(root, settings, session):
    """The same bytes as of both visits; truth.json knows this visit alone."""
    whole = visits._write_visit

    def only(folder, visit, *rest):
        return whole(folder, visit, *rest) if visit == session else {}

    with mock.patch.object(visits, "_write_visit", only):
        write_phantom(root, settings)
