"""Files of kinfitr, bloodstream, petfit and petprep in their real form, made here: the same numbers come out."""

import json
import unittest

import numpy as np
from support import tinystudy
from support.exacttissue import EDGES_S, frame_means, parent_plasma
from support.folders import Folder
from TSPOQuantLib.acquisition.bids import find_bids
from TSPOQuantLib.acquisition.blood_files import read_blood
from TSPOQuantLib.acquisition.parameter_tables import read_parameters
from TSPOQuantLib.acquisition.tacs import read_tacs
from TSPOQuantLib.kinetics.models import SPELLINGS

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

    def test_it_may_be_given_as_the_ready_input(self):
        edges = {"FrameTimesStart": EDGES_S[:-1], "FrameTimesEnd": EDGES_S[1:]}
        tacs = self.write("sub-1_tacs.tsv", table(edges | {"cord": 1000 * frame_means(4.0)}))
        theirs = self.input_function(becquerels(), sidecar("Bq", True))
        fit = ("fit", tacs, "--given", theirs, "--models", "1TCM", "--vb", "none", "--json")
        code, told = tinystudy.quiet(*fit, "--out", self.folder / "out")
        self.assertEqual(code, 0, told)
        self.assertAlmostEqual(float(json.loads(told[told.index("{") :])["regions"][0]["VT"]), 4.0, delta=0.01)

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


class SeveralScansTest(Folder):
    """Two runs of two tracers in one session, or without sessions: each is found with what belongs to it."""

    def scans(self, visit):
        for name in ("run-1", "run-2", "trc-other_run-1"):
            stem = f"{visit}/pet/{visit.replace('/', '_')}_{name}"
            self.write(f"{stem}_pet.json", {"Units": "Bq/mL"})
            self.write(f"{stem}_recording-manual_blood.tsv", table(CURVES))
            self.write(f"derivatives/petprep/{stem}_desc-preproc_seg-gtm_tacs.tsv", "")
        self.write(f"derivatives/petprep/{visit}/pet/{visit.replace('/', '_')}_seg-gtm_tacs.tsv", "")

    def test_a_scan_is_named_by_its_entities(self):
        for visit, session in (("sub-1/ses-a", "a"), ("sub-2", None)):
            self.scans(visit)
            person, stem = visit.split("/")[0], visit.replace("/", "_")
            message = self.refused("bids-several", find_bids, self.folder, person, session)
            self.assertIn("--scan", message)
            self.refused("bids-several", find_bids, self.folder, person, session, "run-1")  # of both tracers
            self.refused("bids-scan", find_bids, self.folder, person, session, "run-3")
            for scan, name in (("run-2", "run-2"), ("run-1_trc-other", "trc-other_run-1")):
                found = find_bids(self.folder, person, session, scan)
                self.assertEqual(found.pet_json.name, f"{stem}_{name}_pet.json")
                self.assertEqual([file.name for file in found.blood], [f"{stem}_{name}_recording-manual_blood.tsv"])
                curves = {file.name for file in found.tacs}
                self.assertEqual(curves, {f"{stem}_{name}_desc-preproc_seg-gtm_tacs.tsv", f"{stem}_seg-gtm_tacs.tsv"})

    def test_what_lies_at_the_root_is_inherited(self):
        self.write("dataset_description.json", {"Name": "x", "BIDSVersion": "1.11.0"})
        self.write("inputfunction.json", sidecar("Bq", True))
        path = self.write("sub-1/ses-a/pet/sub-1_ses-a_run-1_inputfunction.tsv", table(becquerels()))
        np.testing.assert_allclose(read_blood([path]).parent_plasma.values, AIF, rtol=1e-12)


STARTS, ENDS = np.array([0.0, 60, 120, 300, 900]), np.array([60.0, 120, 300, 900, 2700])
CORD, FORAMEN = np.array([1.0, 8, 6, 5, 4]), np.array([0.5, 3, 4, 5, 5.5])


class PetprepTest(Folder):
    """petprep: wide curves in Bq/mL, what they were corrected for in the JSON, volumes in a morph file elsewhere."""

    STEM = "sub-1/ses-a/pet/sub-1_ses-a_desc-preproc"

    def curves(self, entities="seg-gtm", **metadata):
        listed = {"FrameTimesStart": STARTS.tolist(), "FrameDuration": (ENDS - STARTS).tolist(), "TaskName": None}
        self.write(f"{self.STEM}_{entities}_tacs.json", listed | {"Units": "Bq/mL"} | metadata)
        columns = {"frame_start": STARTS, "frame_end": ENDS, "cord": 1000 * CORD, "3rd-Ventricle": 1000 * FORAMEN}
        return self.write(f"{self.STEM}_{entities}_tacs.tsv", table(columns))

    def morph(self, name, cord):
        rows = f"index\tname\tvolume-mm3\n2\tcord\t{cord}\n4\t3rd-Ventricle\t30.5\n"
        return self.write(name, rows)

    def test_curves(self):
        tacs = read_tacs(self.curves())
        np.testing.assert_allclose(tacs.activity, [CORD, FORAMEN], rtol=1e-12)
        np.testing.assert_array_equal(tacs.timing.ends_s, ENDS)
        self.assertEqual((tacs.regions, tacs.pvc, tacs.notices), (("cord", "3rd-Ventricle"), "none", ()))
        self.assertEqual(dict(tacs.volumes_mm3), {})

    def test_partial_volume_is_told(self):
        psf = {"FWHM_x": 4.0, "FWHM_y": 4.5, "FWHM_z": 5}
        tacs = read_tacs(self.curves("seg-gtm_pvc-GTM", PVCMethod="GTM", SoftwareName="petpvc", **psf))
        self.assertEqual((tacs.pvc, tacs.fwhm_mm), ("GTM", (4, 4.5, 5)))
        (told,) = tacs.notices
        self.assertIn("GTM, 4 × 4.5 × 5 mm", told.message)
        named_alone = read_tacs(self.curves("seg-gtm_pvc-RBV"))
        self.assertEqual((named_alone.pvc, named_alone.fwhm_mm), ("RBV", ()))
        contradicted = read_tacs(self.curves("seg-gtm_pvc-MG", PVCMethod="GTM"))
        self.assertEqual([notice.code for notice in contradicted.notices], ["tacs-pvc", "tacs-pvc-contradicts"])

    def test_volumes_come_from_the_morph_of_the_same_segmentation(self):
        path = self.curves("seg-gtm_pvc-GTM")
        for other in ("sub-1_desc-preproc_seg-aseg", "sub-2_desc-preproc_seg-gtm", "sub-1_ses-b_seg-gtm"):
            self.morph(f"sub-1/anat/{other}_morph.tsv", 1.0)
        self.assertEqual(dict(read_tacs(path).volumes_mm3), {})
        self.morph("sub-1/anat/sub-1_desc-preproc_seg-gtm_morph.tsv", 800.25)
        self.assertEqual(dict(read_tacs(path).volumes_mm3), {"cord": 800.25, "3rd-Ventricle": 30.5})
        self.morph("sub-1/ses-a/anat/sub-1_ses-a_seg-gtm_morph.tsv", 801.0)
        self.assertEqual(read_tacs(path).volumes_mm3["cord"], 801.0)


class PetfitTest(Folder):
    """petfit: one row a region and frame, kBq/mL, with the JSON of the whole study above it alone."""

    HEADER = (
        "pet\tregion\tvolume_mm3\tInjectedRadioactivity\tbodyweight\tframe_start\tframe_end\tframe_dur\tframe_mid\tTAC"
    )

    def curves(self, scans=("sub-1",), regions=(("cord", CORD), ("foramen", FORAMEN)), skip=()):
        rows = [
            f"{scan}\t{name}\t120.5\tNA\tNA\t{start:g}\t{end:g}\t{end - start:g}\t{(start + end) / 2:g}\t{value:.15g}"
            for scan in scans
            for name, values in regions
            for start, end, value in zip(STARTS, ENDS, values, strict=True)
            if (name, start) not in skip
        ]
        path = "derivatives/petfit/first/sub-1/pet/sub-1_desc-combinedregions_tacs.tsv"
        return self.write(path, "\n".join([self.HEADER, *rows]) + "\n")

    def described(self):
        self.write("dataset_description.json", {"Name": "x", "BIDSVersion": "1.11.0"})
        units = {"TAC": {"Description": "TAC", "Units": "kBq/mL"}, "frame_start": {"Units": "seconds"}}
        self.write("derivatives/petfit/desc-combinedregions_tacs.json", units)

    def test_long_rows_become_curves(self):
        self.described()
        tacs = read_tacs(self.curves())
        np.testing.assert_allclose(tacs.activity, [CORD, FORAMEN], rtol=1e-12)
        np.testing.assert_array_equal(tacs.timing.durations_s, ENDS - STARTS)
        self.assertEqual((tacs.regions, dict(tacs.volumes_mm3)["cord"]), (("cord", "foramen"), 120.5))

    def test_kilobecquerels_are_not_taken_for_becquerels(self):
        self.assertIn("kBq/mL", self.refused("tacs-units", read_tacs, self.curves()))

    def test_several_scans_or_missing_frames_are_refused(self):
        self.described()
        self.assertIn("sub-1, sub-2", self.refused("tacs-several", read_tacs, self.curves(("sub-1", "sub-2"))))
        self.refused("tacs-frames", read_tacs, self.curves(skip=[("foramen", 60.0)]))


class BesideTest(Folder):
    """Parameters of others beside ours: kinfitr's errors are parts of the value, its shift is in minutes."""

    HEADER = ["pet", "region", "K1", "k2", "vB", "inpshift", "VT", "K1-se", "VT-se", "AIC"]

    def curves(self):
        edges = {"FrameTimesStart": EDGES_S[:-1], "FrameTimesEnd": EDGES_S[1:]}
        return self.write("sub-1_tacs.tsv", table(edges | {"cord": 1000 * frame_means(4.0)}))

    def kinpar(self, rows, name="sub-1_model_1TCM_desc-model1_kinpar", metadata="1TCM"):
        path = self.write(f"{name}.tsv", "\n".join("\t".join(row) for row in [self.HEADER, *rows]) + "\n")
        if metadata:
            self.write(f"{name}.json", {"ModelName": metadata, "Description": "fit"})
        return path

    ROW = ["sub-1", "cord", "0.24", "0.06", "0.0001", "0.05", "4.0", "0.1", "0.025", "-3"]

    def test_petfit(self):
        table_of_theirs = read_parameters(self.kinpar([self.ROW]), SPELLINGS)
        self.assertEqual((table_of_theirs.model, table_of_theirs.notices), ("1TCM", ()))
        values, errors = table_of_theirs.values["cord"], table_of_theirs.errors["cord"]
        self.assertEqual((values["VT"], values["VB"], values["delay"]), (4.0, 0.0001, 3.0))
        self.assertAlmostEqual(errors["VT"], 0.1)
        self.assertAlmostEqual(errors["K1"], 0.024)
        without = read_parameters(self.kinpar([self.ROW], "sub-1_model_2TCM_desc-model2_kinpar", None), SPELLINGS)
        self.assertEqual((without.model, dict(without.errors)), ("2TCM", {}))
        self.assertEqual([notice.code for notice in without.notices], ["parameters-errors"])
        irreversible = self.kinpar([self.ROW], "sub-1_model_2TCM_desc-model3_kinpar", "2TCM_irr")
        self.assertEqual(read_parameters(irreversible, SPELLINGS).model, "2TCM3k")

    def test_the_delay_of_a_scan_has_no_region(self):
        path = self.write("sub-1_model-1TCM_desc-delayfit_kinpar.tsv", "blood_timeshift\n-0.1\n")
        self.assertEqual(dict(read_parameters(path, SPELLINGS).values), {"": {"delay": -6.0}})

    def test_pmod_with_units_and_the_means_of_a_map(self):
        path = self.write("p.txt", "Region\tK1[ml/ccm/min]\tk2[1/sec]\tvB[%]\tVt[ml/ccm]\ncord\t0.24\t0.001\t5\t4\n")
        values = read_parameters(path, SPELLINGS).values["cord"]
        self.assertEqual((values["K1"], values["VB"], values["VT"]), (0.24, 0.05, 4))
        self.assertAlmostEqual(values["k2"], 0.06)
        grams = self.write("q.txt", "Region\tVt[ml/g]\ncord\t4\n")
        self.refused("parameters-units", read_parameters, grams, SPELLINGS)
        titles = (
            "// PatientName [string]\tVoiName(Region) [string]\tVt [ml/ccm]\tSE_Vt [%]\tK1 [ml/ccm/min]\tSE_K1 [%]\n"
        )
        saved = self.write("p_model-Logan.kinPar", "# PMOD\n# DATA\n" + titles + "Doe\tcord\t4\t2.5\t0.2\t10\n")
        found = read_parameters(saved, SPELLINGS)
        self.assertEqual((found.model, found.notices, found.values["cord"]), ("Logan", (), {"VT": 4, "K1": 0.2}))
        self.assertAlmostEqual(found.errors["cord"]["VT"], 0.1)
        self.assertAlmostEqual(found.errors["cord"]["K1"], 0.02)
        head = "# PMOD_VOI_STATISTICS\n# DATA\n// PatientName [string]\tSeriesDescription [string]\t"
        head += "VoiName(Region) [string]\tTime [seconds]\tAveraged [ml/ccm]\tVolume [ccm]\n"
        stats = self.write("m.voistat", head + "Doe\tVt_Logan |> PVC corrected\tcord\t0.5\t3.9\t1.0\n")
        found = read_parameters(stats, SPELLINGS)
        self.assertEqual((found.model, found.values["cord"]), ("Logan", {"VT": 3.9}))
        unnamed = self.write("n.voistat", head + "Doe\tPET in atlas space\tcord\t0.5\t3.9\t1.0\n")
        self.refused("parameters-map", read_parameters, unnamed, SPELLINGS)

    def test_what_is_refused(self):
        other = ["sub-2", *self.ROW[1:]]
        self.refused("parameters-several", read_parameters, self.kinpar([self.ROW, other]), SPELLINGS)
        self.refused("parameters-columns", read_parameters, self.write("x.tsv", "region\tBPnd\ncord\t1\n"), SPELLINGS)

    def test_fit_tells_how_far_apart_two_programs_are(self):
        tacs, blood = self.curves(), self.write("sub-1_bloodproc.tsv", table({n: CURVES[n] for n in ("time", "AIF")}))
        theirs, out = self.kinpar([self.ROW]), self.folder / "out"
        fit = ("fit", tacs, "--blood", blood, "--vb", "none", "--beside", theirs, "--json")
        code, told = tinystudy.quiet(*fit, "--models", "1TCM", "--out", out)
        self.assertEqual(code, 0, told)
        rows = {row["quantity"]: row for row in json.loads(told[told.index("{") :])["beside"]}
        self.assertLess(abs(rows["VT"]["percent"]), 0.2)
        self.assertAlmostEqual(rows["VT"]["ours"] - 4.0, rows["VT"]["difference"])
        self.assertEqual(rows["delay"]["difference"], -3.0)
        self.assertIn("VT", (out / "beside.tsv").read_text())
        code, told = tinystudy.quiet(*fit, "--models", "Logan", "--out", self.folder / "other")
        self.assertEqual((code, "beside-model" in told, (self.folder / "other").exists()), (3, True, False), told)


if __name__ == "__main__":
    unittest.main()
