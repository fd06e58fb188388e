"""The table of tracers: names as sites write them, sources, and what follows from a tracer where it is known."""

import unittest
from dataclasses import replace

from support import visitrecords as made
from TSPOQuantLib.kinetics.models import MODELS
from TSPOQuantLib.messages import InputRefused
from TSPOQuantLib.outcome.comparability import findings_of
from TSPOQuantLib.phantom.scanner import decay_factors
from TSPOQuantLib.phantom.tracer import simulated_tracer
from TSPOQuantLib.pipeline.quantification import tracer_notices
from TSPOQuantLib.reporting.report_visit import _literature
from TSPOQuantLib.reporting.words import Words
from TSPOQuantLib.tracers import TRACERS, same_tracer, tracer_named

WRITTEN = {
    "[11C]DPA-713": ("DPA-713", "11C-DPA713", "C-11 DPA 713", "DPA-713 ^11^C", "[11C]DPA-713 (simulated)"),
    "[18F]DPA-714": ("DPA714", "18F-DPA-714", "DPA-714 ^18^F", "dpa_714"),
    "[11C]PBR28": ("PBR-28", "[C-11]PBR28"),
    "(R)-[11C]PK11195": ("PK-11195", "[11C](R)-PK11195", "[11C]-(R)-PK 11195", "PK11195 ^11^C"),
    "[18F]GE-180": ("GE180", "Flutriciclamide (18F)"),
    "[18F]FDG": ("FDG -- fluorodeoxyglucose", "18FDG", "Fluorodeoxyglucose F^18^", "[18F]-FDG"),
    "[18F]FTC-146": ("FTC146", "18F-FTC-146"),
}
NEITHER = (
    "",
    None,
    "[18F]PBR28",
    "Iodinated I^125^ DPA-713",
    "[124I]DPA-713",
    "[11C]DPA-7130",
    "[11C]ER176",
    "GE-1800",
)


class NamesTest(unittest.TestCase):
    def test_names_as_sites_write_them(self):
        self.assertEqual(set(WRITTEN), {tracer.name for tracer in TRACERS})
        for name, others in WRITTEN.items():
            for text in (name, *others):
                found = tracer_named(text)
                self.assertEqual(found and found.name, name, text)

    def test_another_radionuclide_or_a_longer_number_is_another_tracer(self):
        for text in NEITHER:
            self.assertIsNone(tracer_named(text), text)

    def test_one_tracer_under_two_names(self):
        self.assertTrue(same_tracer("[11C]DPA-713", "DPA713 C-11"))
        self.assertTrue(same_tracer("[11C]new", "[11C]new"))
        for one, other in (("[11C]new", "[11C]other"), ("DPA-713", "DPA-714"), ("DPA-713", "DPA-713 (simulated)")):
            self.assertFalse(same_tracer(one, other), one)


class TableTest(unittest.TestCase):
    def test_models_are_of_this_program(self):
        for tracer in TRACERS:
            self.assertLessEqual(set(tracer.models), set(MODELS), tracer.name)
            self.assertEqual(bool(tracer.models), tracer.preferred is not None, tracer.name)

    def test_every_statement_has_its_source(self):
        for tracer in TRACERS:
            for one in (tracer.preferred, tracer.genotype_source, tracer.repeatability, tracer.suvr_caution):
                if one is not None:
                    self.assertRegex(one.source, r"10\.\d{4}/|PMC\d|PMID|J Nucl Med \d{4};\d+:\d+", tracer.name)
            self.assertEqual(tracer.genotype is None, tracer.genotype_source is None, tracer.name)


class UseTest(unittest.TestCase):
    def test_rs6971_is_asked_for_where_it_matters_or_may(self):
        def codes(name, genotype="unknown"):
            return [one.code for one in tracer_notices(name, genotype)]

        for name in ("[11C]DPA-713", "[18F]GE-180", None):
            self.assertEqual(codes(name), ["genotype"], name)
        for name in ("(R)-[11C]PK11195", "18F-FDG", "[18F]FTC-146"):
            self.assertEqual(codes(name, "LAB"), [], name)
        self.assertEqual(codes("[11C]ER176", "HAB"), ["tracer-unknown"])
        self.assertEqual(codes("[11C]ER176", "LAB"), ["tracer-unknown", "genotype"])

    def test_visits_under_two_names_of_one_tracer_compare(self):
        base = made.visit()
        other = replace(base, session="later", acquisition=replace(base.acquisition, tracer="DPA713 C-11"))
        self.assertNotIn("visits-tracer", [finding.code for finding in findings_of((base, other))])

    def test_the_report_says_what_is_known_and_what_is_not(self):
        words = Words("en")
        told = dict(_literature("DPA-713", words))
        self.assertIn("10.3389/fnume.2025.1569991", told["tracer_model"])
        self.assertEqual(dict(_literature("FTC-146", words))["tracer_repeatability"], "none found")
        self.assertIn("not in the table", _literature("[11C]ER176", words)[0][1])
        self.assertEqual(_literature(None, words), [])


class SimulatedTest(unittest.TestCase):
    def test_the_phantom_writes_name_code_and_decay(self):
        made_up = simulated_tracer("DPA-714")
        self.assertEqual(made_up.name, "[18F]DPA-714 (simulated)")
        self.assertEqual(made_up.code[:2], ("126766", "DCM"))
        self.assertAlmostEqual(made_up.half_life_s, 6586.2)
        # 18F at 60 min has lost 31.5 % of its activity, 11C 87 %.
        for half_life, left in ((made_up.half_life_s, 0.685), (1221.84, 0.13)):
            self.assertAlmostEqual(1 / decay_factors(half_life)[-1] / left, 1, delta=0.2)

    def test_a_new_tracer_needs_its_radionuclide(self):
        self.assertEqual(simulated_tracer("[18F]new").code[1], "99TSPOQUANT")
        for name in ("new", "[64Cu]new", "[15O]water"):
            with self.subTest(name), self.assertRaises(InputRefused) as refused:
                simulated_tracer(name)
            self.assertEqual(refused.exception.code, "phantom-tracer")


if __name__ == "__main__":
    unittest.main()
