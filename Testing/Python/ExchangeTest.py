"""Files of kinfitr, bloodstream, petfit and petprep in their real form, made here: the same numbers come out."""

import json
import tempfile
import unittest
from pathlib import Path

import numpy as np
from support import tinystudy
from support.exacttissue import EDGES_S, frame_means, parent_plasma
from TSPOQuantLib.acquisition.bids import find_bids
from TSPOQuantLib.acquisition.blood_files import read_blood
from TSPOQuantLib.messages import InputRefused

SECONDS = np.linspace(0, 3600, 1201)
FRACTION = 1 / (1 + (SECONDS / 1500) ** 2)
AIF = parent_plasma(SECONDS / 60)  # kBq/mL
CURVES = {
    "time": SECONDS,
    "whole_blood_radioactivity": 0.8 * AIF / FRACTION,
    "plasma_radioactivity": AIF / FRACTION,
    "metabolite_parent_fraction": FRACTION,
    "AIF": AIF,
}
ACTIVITIES = ("whole_blood_radioactivity", "plasma_radioactivity", "AIF")


def table(columns):
    rows = zip(*columns.values(), strict=True)
    return "\n".join(["\t".join(columns), *("\t".join(f"{cell:.15g}" for cell in row) for row in rows)]) + "\n"


def becquerels(curves=CURVES):
    """As bloodstream writes them: Bq where we say kBq/mL."""
    return {name: 1000 * values if name in ACTIVITIES else values for name, values in curves.items()}


def sidecar(unit, boxed):
    """What stands beside: bloodstream boxes every text in a list, petfit does not; neither names a volume."""

    def of(text):
        return [text] if boxed else text

    units = {"time": "s"} | dict.fromkeys(ACTIVITIES, unit)
    return {name: {"Description": of(f"Estimated {name}"), "Units": of(one)} for name, one in units.items()}


class Folder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def write(self, name, content):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return path

    def refused(self, code, call, *arguments):
        with self.assertRaises(InputRefused) as caught:
            call(*arguments)
        self.assertEqual(caught.exception.code, code)
        return caught.exception.message


class InputFunctionTest(Folder):
    """``_inputfunction.tsv`` of bloodstream and petfit, whose unit is "Bq"."""

    def input_function(self, columns, metadata, name="sub-1_inputfunction"):
        if metadata is not None:
            self.write(f"{name}.json", metadata)
        return self.write(f"{name}.tsv", table(columns))

    def test_becquerels_without_a_volume_are_per_milliliter(self):
        for boxed in (True, False):
            blood = read_blood([self.input_function(becquerels(), sidecar("Bq", boxed))])
            np.testing.assert_allclose(blood.parent_plasma.values, AIF, rtol=1e-12)
            np.testing.assert_allclose(blood.whole_blood.values, CURVES["whole_blood_radioactivity"], rtol=1e-12)
            np.testing.assert_allclose(blood.parent_fraction.values, FRACTION, rtol=1e-12)
            self.assertIn("blood-volume-understood", [notice.code for notice in blood.notices])
        kilo = read_blood([self.input_function(CURVES, sidecar("kBq", True))])
        np.testing.assert_allclose(kilo.parent_plasma.values, AIF, rtol=1e-12)

    def test_only_a_pair_that_agrees_makes_it_certain(self):
        alone = {name: becquerels()[name] for name in ("time", "AIF")}
        self.assertIn(
            "Bq/mL", self.refused("units-activity", read_blood, [self.input_function(alone, sidecar("Bq", True))])
        )
        raw = {name: becquerels()[name] for name in ("time", "whole_blood_radioactivity", "plasma_radioactivity")}
        self.refused("units-activity", read_blood, [self.input_function(raw, sidecar("Bq", True))])
        # Whole blood really in kBq/mL beside an AIF in Bq: the unit "Bq" of both is wrong for one of them.
        mixed = becquerels() | {"whole_blood_radioactivity": CURVES["whole_blood_radioactivity"]}
        self.refused("units-activity", read_blood, [self.input_function(mixed, sidecar("Bq", False))])
        # Said of each what it is, the same columns are read.
        told = sidecar("Bq", False) | {"whole_blood_radioactivity": {"Units": "kBq/mL"}}
        blood = read_blood([self.input_function(mixed, told)])
        np.testing.assert_allclose(blood.whole_blood.values, CURVES["whole_blood_radioactivity"], rtol=1e-12)

    def test_what_no_blood_can_hold_stays_refused(self):
        self.refused("blood-activity-units", read_blood, [self.input_function(becquerels(), sidecar("kBq", True))])

    def test_the_same_fit_as_from_our_own_units(self):
        edges = {"FrameTimesStart": EDGES_S[:-1], "FrameTimesEnd": EDGES_S[1:]}
        tacs = self.write("sub-1_tacs.tsv", table(edges | {"cord": 1000 * frame_means(4.0)}))
        theirs = self.input_function(becquerels(), sidecar("Bq", True))
        ours = self.write("sub-1_bloodproc.tsv", table({name: CURVES[name] for name in ("time", *ACTIVITIES[::2])}))
        found = []
        for blood in (theirs, ours):
            out = self.folder / f"out-{blood.stem}"
            code, told = tinystudy.quiet("fit", tacs, "--blood", blood, "--models", "1TCM", "--out", out, "--json")
            self.assertEqual(code, 0, told)
            found.append(json.loads(told[told.index("{") :])["regions"][0])
        for key in ("VT", "K1", "k2", "VB", "WRSS"):
            self.assertAlmostEqual(float(found[0][key]), float(found[1][key]), delta=1e-9 * abs(float(found[1][key])))


class BloodstreamFolderTest(Folder):
    """Where bloodstream leaves its curves: derivatives/bloodstream/<analysis>/sub-…/ses-…/pet."""

    def setUp(self):
        super().setUp()
        self.write("dataset_description.json", {"Name": "x", "BIDSVersion": "1.11.0"})
        self.write("sub-1/ses-a/pet/sub-1_ses-a_run-1_pet.json", {"Units": "Bq/mL"})

    def found(self):
        return [str(one.relative_to(self.folder)) for one in find_bids(self.folder, "1", "a").bloodproc]

    def test_input_functions_of_this_scan_alone(self):
        self.assertEqual(self.found(), [])
        kept = "derivatives/bloodstream/first/sub-1/ses-a/pet/sub-1_ses-a_run-1_inputfunction.tsv"
        self.write(kept, table(becquerels()))
        for other in ("sub-1_ses-a_run-2", "sub-1_ses-a_run-1_trc-other"):
            self.write(f"derivatives/bloodstream/first/sub-1/ses-a/pet/{other}_inputfunction.tsv", table(becquerels()))
        self.assertEqual(self.found(), [kept])
        second = "derivatives/petfit/sub-1/ses-a/sub-1_ses-a_inputfunction.tsv"
        self.write(second, table(becquerels()))
        self.assertEqual(self.found(), [kept, second])

    def test_a_curve_beside_the_scan_comes_first(self):
        self.write(
            "derivatives/bloodstream/first/sub-1/ses-a/sub-1_ses-a_run-1_inputfunction.tsv", table(becquerels())
        )
        own = "sub-1/ses-a/pet/sub-1_ses-a_run-1_bloodproc.tsv"
        self.write(own, table(CURVES))
        self.assertEqual(self.found(), [own])


if __name__ == "__main__":
    unittest.main()
