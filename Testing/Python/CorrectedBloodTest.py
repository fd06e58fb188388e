"""Blood of a vessel beside a region, which its correction leaves in the curve, takes no place in its tissue."""

import tempfile
import unittest
from pathlib import Path
from unittest.mock import patch

import numpy as np
from support import tinystudy
from support.exacttissue import EDGES_S, parent_plasma
from support.kineticstruth import tissue_curve
from TSPOQuantLib.acquisition.frames import FrameTiming
from TSPOQuantLib.input_function.curve import InputFunction
from TSPOQuantLib.outcome.coupled import coupled_visits, sharing_as

TISSUE = {"K1": 0.2, "k2": 0.04, "VB": 0.05}
VT, BESIDE = 5.0, 0.3
NAMES = (tinystudy.LEFT, tinystudy.RIGHT)
PLAIN = (1 - TISSUE["VB"]) / (1 - TISSUE["VB"] - BESIDE)
"""What the published equation makes of V_T where all blood counts as within the tissue."""


class VisitTest(unittest.TestCase):
    """A visit on disk, the same everywhere in the neck, so that its correction changes no curve: tissue, and the blood
    of a vessel beside it."""

    @classmethod
    def setUpClass(cls):
        cls.folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        times_s = np.unique(np.concatenate([np.arange(0, 300, 1.0), np.arange(300, 3601, 10.0)]))
        plasma = parent_plasma(times_s / 60)
        source, timing = InputFunction(times_s, plasma, 1.2 * plasma), FrameTiming(EDGES_S[:-1], np.diff(EDGES_S))
        curve = tissue_curve(timing, source, **TISSUE) + BESIDE * tissue_curve(timing, source, 0.0, 0.0, VB=1.0)
        noise = 1 + 0.002 * np.random.default_rng(3).standard_normal(len(timing))
        image = np.broadcast_to((curve * noise).reshape(-1, 1, 1, 1), (len(timing), *tinystudy.PET_SHAPE))
        with patch.object(tinystudy, "activity", return_value=image):
            cls.study = tinystudy.DicomVisit(names=NAMES).write(cls.folder / "visit")
        text = cls.study.read_text(encoding="utf-8").replace("[pet]\n", "[pet]\nfwhm_mm = 6.0\n")
        cls.text = text.replace("[segmentation]\n", '[segmentation]\npvc = "GTM"\n')
        cls.record = cls.quantified("default")

    @classmethod
    def quantified(cls, name, segmentation="", model=""):
        text = cls.text.replace("[segmentation]\n", f"[segmentation]\n{segmentation}\n")
        cls.study.write_text(f"{text}{model}\n", encoding="utf-8")
        return tinystudy.quantified(cls.study, cls.folder / name)

    def test_corrected_v_t_is_that_of_the_tissue_and_the_measured_one_as_published(self):
        for name in NAMES:
            corrected, measured = (self.record.row_of(name, "1TCM", pvc) for pvc in ("GTM", "none"))
            self.assertAlmostEqual(corrected.VT / VT, 1, delta=0.02)
            self.assertAlmostEqual(corrected.K1 / TISSUE["K1"], 1, delta=0.02)
            self.assertAlmostEqual(measured.VT / VT, PLAIN, delta=0.03)
            for row in (corrected, measured):
                self.assertAlmostEqual(row.VB, TISSUE["VB"] + BESIDE, delta=0.02)

    def test_errors_of_input_and_resolution_are_those_of_the_same_equation(self):
        """Refitted by another one, every answer of V_T would hold the difference of the two, ln 1.46."""
        of_fits = {"input-scale", "delay", "resolution", "correction-model"}
        corrected = [row for row in self.record.sensitivities if row.model == "1TCM" and row.pvc == "GTM"]
        rows = [row for row in corrected if row.component in of_fits]
        self.assertEqual({row.component for row in rows}, of_fits)
        for row in rows:
            self.assertLess(max(abs(row.lower), abs(row.upper)), 0.2, row)

    def test_it_can_be_had_as_published_and_a_given_v_b_is_all_within_the_tissue(self):
        published = self.quantified("published", "pvc_tissue_vb = 1")
        given = self.quantified("given", model="vb = 0.35")
        for record in (published, given):
            for name in NAMES:
                self.assertAlmostEqual(record.row_of(name, "1TCM", "GTM").VT / VT, PLAIN, delta=0.05)

    def test_curves_that_share_v_b_are_fitted_by_the_same_equation(self):
        (shared,), fits = coupled_visits([sharing_as(self.record, "regions")])
        self.assertEqual({fit.pvc for fit in fits}, {"none", "GTM"})
        for name in NAMES:
            self.assertAlmostEqual(shared.row_of(name, "1TCM", "GTM").VT / VT, 1, delta=0.02)
            self.assertAlmostEqual(shared.row_of(name, "1TCM").VT / VT, PLAIN, delta=0.03)


if __name__ == "__main__":
    unittest.main()
