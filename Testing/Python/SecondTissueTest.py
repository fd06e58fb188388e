"""Where V_T of the cord is told by two tissue compartments: what asks for it, at which visits, and what then leads."""

import tempfile
import unittest
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
from support import tinystudy
from support import visitrecords as made
from support.exacttissue import EDGES_S, frame_means, parent_plasma
from support.kineticstruth import arterial_input, schedule, tissue_curve
from TSPOQuantLib.acquisition.frames import FrameTiming
from TSPOQuantLib.input_function.curve import InputFunction
from TSPOQuantLib.kinetics import fit
from TSPOQuantLib.messages import Notice
from TSPOQuantLib.outcome.compare import compare
from TSPOQuantLib.outcome.repeatability import Coefficient
from TSPOQuantLib.outcome.second_tissue import asking_at, asking_structures
from TSPOQuantLib.reporting.comparison_files import main_text

TWO = {"K1": 0.2, "k2": 0.12, "k3": 0.06, "k4": 0.03, "VB": 0.05}
TWO_VT = 0.2 / 0.12 * (1 + 0.06 / 0.03)
ONE = {"K1": 0.2, "k2": 0.04, "VB": 0.05}
TIMING, BLOOD = schedule(60), arterial_input(60)


def fits_of(parameters, noise, regions=3, seed=1):
    """Fits by one compartment and by two of so many curves, each with its own noise (of the curve's mean)."""
    rng = np.random.default_rng(seed)
    curve = tissue_curve(TIMING, BLOOD, **parameters)
    sd = noise * curve.mean() * np.sqrt(TIMING.durations_s.mean() / TIMING.durations_s)
    curves = curve + sd * rng.standard_normal((regions, curve.size))
    return [fit(model, TIMING, curves, BLOOD) for model in ("1TCM", "2TCM")]


class RuleTest(unittest.TestCase):
    def test_curves_of_two_tissues_ask_and_those_of_one_do_not(self):
        self.assertEqual(asking_structures(["cord"] * 3, *fits_of(TWO, 0.01)), ("cord",))
        for seed in range(3):
            self.assertEqual(asking_structures(["cord"] * 3, *fits_of(ONE, 0.01, seed=seed)), ())

    def test_one_region_of_a_structure_decides_for_none_of_the_others(self):
        of_two, of_one = fits_of(TWO, 0.01, regions=2), fits_of(ONE, 0.01)
        structures = ["cord"] * 2 + ["foramen"] * 3
        ones, twos = ((*a, *b) for a, b in zip(of_two, of_one, strict=True))
        self.assertEqual(asking_structures(structures, ones, twos), ("cord",))
        self.assertEqual(asking_structures(["foramen"] * 5, ones[1:] + ones[2:3], twos[1:] + twos[2:3]), ())

    def test_what_the_data_do_not_determine_or_what_is_no_other_vt_is_not_led_with(self):
        ones, twos = fits_of(TWO, 0.01)
        unsure = [replace(one, standard_errors={**one.standard_errors, "VT": 0.3 * one.outcome_value}) for one in twos]
        unknown = [replace(one, standard_errors={"VT": np.nan}) for one in twos[:2]]
        for larger in (unsure, [*unknown, *twos[2:]]):
            self.assertEqual(asking_structures(["cord"] * 3, ones, larger), ())
        near = [{**two.parameters, "VT": 1.005 * one.outcome_value} for one, two in zip(ones, twos, strict=True)]
        alike = [replace(two, parameters=values) for two, values in zip(twos, near, strict=True)]
        self.assertEqual(asking_structures(["cord"] * 3, ones, alike), ())
        for structure in ("foramen", "other"):
            self.assertEqual(asking_structures([structure] * 3, ones, twos), ())


def record(session="baseline", asked=True, choice="where asked", structure="cord", **changes):
    """A visit with fits by both models; V_T of every region is a fifth larger by two compartments, which the curves of
    the cord, or of another structure, ask for or not."""
    scale = 1.0 if session == "baseline" else 0.9
    vts = {name: scale * vt for name, vt in made.VT.items()}
    visit = made.visit(session, vts, settings={"second_tissue": choice}, **changes)
    fits, rows = [], []
    for region in visit.regions:
        vt = vts[region.name]
        gain = 20.0 if asked and region.structure == structure else -5.0
        for model, value, aicc in (("1TCM", vt, 0.0), ("2TCM", 1.2 * vt, -gain)):
            fits.append(made.fit(region.name, model, value, 0.05 * value, aicc=aicc))
            rows.append(made.outcome(session, region.name, model, value, 0.05 * value))
    return replace(visit, models=("1TCM", "2TCM"), fits=tuple(fits), rows=tuple(rows))


def codes(notices):
    return [notice.code for notice in notices if isinstance(notice, Notice)]


class CompareTest(unittest.TestCase):
    def test_the_cord_is_told_by_two_compartments_where_every_visit_asks(self):
        both = compare([record(), record("followup")])
        self.assertEqual(both.by_region, {made.CORD: "2TCM", made.CORD_ABOVE: "2TCM"})
        self.assertEqual(both.change("VT_cord_C7", "followup").baseline, 1.2 * made.VT[made.CORD])
        self.assertEqual(both.change("VT_foramen_C6C7_left", "followup").baseline, made.VT[made.LEFT])
        primary = {(one.structure, one.model) for one in both.changes if one.primary}
        self.assertEqual(primary, {("cord", "2TCM"), ("foramen", "1TCM")})
        cord = [row for row in both.table1 if row.outcome == "VT_cord_C7"]
        self.assertEqual([row.baseline for row in cord], [1.2 * made.VT[made.CORD]])
        beside = {(one.region, one.measure) for one in both.besides if one.window_s is None}
        self.assertIn((made.CORD, "1TCM"), beside)
        self.assertNotIn((made.CORD, "2TCM"), beside)
        self.assertIn("by 1TCM (cord C7, cord C4 by 2TCM)", main_text(both))
        self.assertIn("two-tissues-lead", codes(both.notices))

    def test_one_visit_that_does_not_ask_keeps_one_model_for_both(self):
        for pair in ([record(), record("followup", asked=False)], [record(asked=False), record("followup")]):
            found = compare(pair)
            self.assertEqual(found.by_region, {})
            self.assertEqual(found.change("VT_cord_C7", "followup").model, "1TCM")
            self.assertIn("two-tissues-apart", codes(found.notices))

    def test_a_coefficient_of_one_tissue_judges_no_cord_that_two_tell_and_that_is_said(self):
        def stated(*models, structure="any"):
            return [Coefficient("wCV", 10, 0.1, model, structure, "none", "made up") for model in models]

        for known, said in (
            (stated("1TCM"), True),
            (stated("1TCM", structure="foramen"), False),  # which never was meant for the cord
            (stated("1TCM", "2TCM"), False),
            ((), False),
        ):
            found = compare([record(), record("followup")], repeatability=known)
            self.assertEqual("repeatability-two-tissues" in codes(found.notices), said)
        verdict = compare([record(), record("followup")], repeatability=stated("1TCM")).change(
            "VT_cord_C7", "followup"
        )
        self.assertEqual(verdict.verdict.code, "unknown")

    def test_foramina_keep_the_primary_model(self):
        self.assertEqual(compare([record(structure="foramen"), record("followup", structure="foramen")]).by_region, {})

    @patch("TSPOQuantLib.outcome.second_tissue.STRUCTURES", ("foramen",))  # of which there are enough to lose one
    def test_a_region_whose_vt_two_do_not_determine_at_one_visit_is_told_by_one_at_both(self):
        first, second = record(structure="foramen"), record("followup", structure="foramen")
        unsure = [
            replace(one, standard_errors={"VT": 0.3 * one.outcome_value}) if one.region == made.ABOVE else one
            for one in second.fits
        ]
        found = compare([first, replace(second, fits=tuple(unsure))])
        self.assertEqual(found.by_region, {made.LEFT: "2TCM", made.RIGHT: "2TCM"})
        self.assertEqual(found.change("VT_foramen_C3C4_left", "followup").model, "1TCM")
        self.assertEqual({"two-tissues-lead", "two-tissues-apart"} - set(codes(found.notices)), set())

    def test_a_study_can_keep_its_models_as_named_and_old_records_are(self):
        named = [record(choice="as named"), record("followup", choice="as named")]
        old = [replace(one, settings={k: v for k, v in one.settings.items() if k != "second_tissue"}) for one in named]
        for pair in (named, old):
            self.assertEqual(compare(pair).by_region, {})
            self.assertEqual(asking_at(pair[0]), ())
        larger = [replace(one, models=("2TCM", "1TCM")) for one in (record(), record("followup"))]
        self.assertEqual(compare(larger).by_region, {})


class VisitTest(unittest.TestCase):
    """A visit on disk: the left half of the neck is cord of two tissues, the right one a foramen of one."""

    @classmethod
    def setUpClass(cls):
        folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        times_s = np.unique(np.concatenate([np.arange(0, 300, 1.0), np.arange(300, 3601, 10.0)]))
        plasma = parent_plasma(times_s / 60)
        source = InputFunction(times_s, plasma, 1.2 * plasma)
        timing = FrameTiming(EDGES_S[:-1], np.diff(EDGES_S))
        noise = 1 + 0.01 * np.random.default_rng(3).standard_normal((2, len(timing)))
        halves = (tissue_curve(timing, source, **TWO) * noise[0], frame_means(4.0) * noise[1])
        left = tinystudy.centers(tinystudy.grid_of(tinystudy.PET_SHAPE, tinystudy.PET_MM))[..., 0]
        image = np.where(left > tinystudy.MIDDLE_LPS_MM[0], *(half.reshape(-1, 1, 1, 1) for half in halves))
        names = ("cord C6", tinystudy.RIGHT, tinystudy.CORD)
        with patch.object(tinystudy, "activity", return_value=image):
            study = tinystudy.DicomVisit(names=names).write(folder / "visit")
        text = study.read_text(encoding="utf-8").replace('["1TCM", "Logan"]', '["1TCM"]')
        study.write_text(text, encoding="utf-8")
        cls.record = tinystudy.quantified(study, folder / "auto")
        study.write_text(f'{text}second_tissue = "as named"\n', encoding="utf-8")
        cls.named = tinystudy.quantified(study, folder / "named")

    def test_the_larger_model_is_fitted_beside_and_leads_in_the_cord(self):
        self.assertEqual(self.record.models, ("1TCM", "2TCM"))
        self.assertEqual(compare([self.record]).by_region, {"cord C6": "2TCM", tinystudy.CORD: "2TCM"})
        by_two = self.record.row_of(tinystudy.CORD, "2TCM")
        self.assertAlmostEqual(by_two.VT / TWO_VT, 1, delta=0.05)
        self.assertLess(self.record.row_of(tinystudy.CORD, "1TCM").VT, 0.95 * TWO_VT)
        told = next(one for one in self.record.notices if one.code == "two-tissues")
        self.assertIn("what tells V_T there", str(told.message))
        scale = [one for one in self.record.sensitivities if one.model == "2TCM" and one.component == "input-scale"]
        self.assertEqual({one.region for one in scale}, {"cord C6", tinystudy.RIGHT, tinystudy.CORD})

    def test_as_named_it_is_in_the_error_budget_alone(self):
        self.assertEqual(self.named.models, ("1TCM",))
        for region in ("cord C6", tinystudy.RIGHT, tinystudy.CORD):
            self.assertEqual(self.named.row_of(region, "1TCM").VT, self.record.row_of(region, "1TCM").VT)
        asked = {one.region for one in self.named.sensitivities if one.component == "kinetic-model"}
        self.assertEqual(asked, {"cord C6", tinystudy.CORD})


if __name__ == "__main__":
    unittest.main()
