"""``tspoquant fit`` on real people, against an exact solver and against kinfitr; and what it refuses."""

import csv
import json
import tempfile
import unittest
from pathlib import Path

from support.commandline import run
from support.folders import Folder
from support.realdata import DATA, needs_data
from support.tiers import slow

TACS = "FrameTimesStart\tFrameTimesEnd\tmuscle\n" + "".join(
    f"{60 * i}\t{60 * (i + 1)}\t{1000 * min(i, 5)}\n" for i in range(60)
)
BLOODPROC = "time\twhole_blood_radioactivity\tAIF\n0\t0\t0\n60\t20\t20\n600\t4\t3\n3600\t2\t1\n"


def table(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="," if path.suffix == ".csv" else "\t"))


def scans():
    """Every pbr28 scan: its name in the references, and its folder."""
    for folder in sorted((DATA / "pbr28").glob("sub-*/ses-*/pet")):
        subject, session = folder.parts[-3].removeprefix("sub-"), folder.parts[-2].removeprefix("ses-")
        yield f"{subject}_{1 if session == 'test' else 2}", folder


def one(folder, pattern):
    (path,) = folder.glob(pattern)
    return path


class FitCommandTest(Folder):
    def setUp(self):
        super().setUp()
        self.tacs, self.blood = self.folder / "x_tacs.tsv", self.folder / "x_bloodproc.tsv"
        self.tacs.write_text(TACS)
        self.blood.write_text(BLOODPROC)

    def fit(self, *more, out="out"):
        return run("fit", self.tacs, "--blood", self.blood, "--out", self.folder / out, *more)

    def test_files_and_json(self):
        code, out, err = self.fit("--models", "1TCM,Logan", "--json")
        self.assertEqual((code, [line for line in err.splitlines() if not line.startswith("warning: ")]), (0, []))
        rows = json.loads(out)["regions"]
        self.assertEqual([(row["region"], row["model"]) for row in rows], [("muscle", "1TCM"), ("muscle", "Logan")])
        (row,) = table(self.folder / "out" / "model-1TCM_kinpar.tsv")
        for column in ("K1", "k2", "VB", "VT", "VT-se", "K1-se", "delay", "WRSS", "AIC", "AICc", "BIC", "nframes"):
            self.assertGreaterEqual(float(row[column]), -1e9, column)
        self.assertEqual((row["tstar"], row["nframes"]), ("n/a", "60"))
        about = json.loads((self.folder / "out" / "model-1TCM_kinpar.json").read_text())
        self.assertEqual(len(about["inputs"]), 2)
        self.assertEqual(about["VT"]["Units"], "mL/cm3")
        self.assertIn("numpy", about["versions"])

    def test_the_json_of_another_scan_is_told(self):
        pet = self.folder / "x_pet.json"
        frames = {"FrameTimesStart": [60 * i for i in range(60)], "FrameDuration": [60] * 60, "Units": "Bq/mL"}
        more = ("--models", "1TCM", "--pet-json", pet)
        for late, told in ((0, False), (0.3, False), (25, True)):  # 0.3: minutes of two decimals
            starts = [start + late for start in frames["FrameTimesStart"]]
            pet.write_text(json.dumps(frames | {"FrameTimesStart": starts, "ImageDecayCorrected": True}))
            code, _, err = self.fit(*more, out=f"late{late}")
            self.assertEqual((code, "pet-json-frames" in err), (0, told), err)

    def test_blood_against_its_own_decay_and_clock_is_told(self):
        pet = self.folder / "x_pet.json"
        frames = {"FrameTimesStart": [60 * i for i in range(60)], "FrameDuration": [60] * 60, "Units": "Bq/mL"}
        nuclide = {"TracerRadionuclide": "C11", "ImageDecayCorrected": True, "InjectionStart": 20}
        pet.write_text(json.dumps(frames | nuclide))
        blood = self.folder / "raw_blood.tsv"
        for decayed in ("", "plasma", "both"):
            rows = ["time\twhole_blood_radioactivity\tplasma_radioactivity\tmetabolite_parent_fraction"]
            for s in (0, 30, 60, 120, 200, 400, 800, 1200, 1800, 2400, 3000, 3600):
                whole = 30 * s / 30 * 2 ** (-s / 90) + 4 * 2 ** (-s / 4000)
                plasma, decay = 1.2 * whole, 2 ** (-s / 1221.84)
                whole *= decay if decayed == "both" else 1
                rows.append(f"{s}\t{whole}\t{plasma * (decay if decayed else 1)}\t{1 - s / 5000}")
            blood.write_text("\n".join(rows) + "\n")
            units = {name: {"Units": "kBq/mL"} for name in ("whole_blood_radioactivity", "plasma_radioactivity")}
            time = {"time": {"Units": "s since injection" if decayed else "s"}}
            blood.with_suffix(".json").write_text(json.dumps(units | time))
            out = self.folder / f"decayed{decayed}"
            more = ("--models", "1TCM", "--pet-json", pet, "--out", out)
            code, _, err = run("fit", self.tacs, "--blood", blood, *more)
            told = ["blood-decay-odd" in err, "blood-clock-stated" in err]
            self.assertEqual((code, told), (0, [bool(decayed)] * 2), err)
        pet.write_text(json.dumps(frames | nuclide | {"InjectionStart": 2}))  # as good as at time zero
        code, _, err = run("fit", self.tacs, "--blood", blood, *more[:-1], self.folder / "near")
        self.assertEqual((code, "blood-clock-stated" in err), (0, False), err)

    def test_every_parameter_has_its_unit(self):
        self.assertEqual(self.fit("--models", "2TCM1K,MA2,Patlak", "--vb", "fixed:0.05")[0], 0)
        for model, parameter, unit in (
            ("2TCM1K", "Kb", "1/min"),
            ("MA2", "VS", "mL/cm3"),
            ("Patlak", "Ki", "mL/cm3/min"),
            ("Patlak", "Ki-se", "mL/cm3/min"),
        ):
            about = json.loads((self.folder / "out" / f"model-{model}_kinpar.json").read_text())
            self.assertEqual(about[parameter]["Units"], unit)

    def test_the_fits_can_end_earlier_than_the_scan(self):
        self.blood.write_text(BLOODPROC.replace("3600", "2000"))
        code, _, err = self.fit("--models", "1TCM")
        self.assertEqual(code, 3)
        self.assertIn("--until", err)
        self.assertEqual(self.fit("--models", "1TCM", "--until", "40")[0], 0)
        (row,) = table(self.folder / "out" / "model-1TCM_kinpar.tsv")
        self.assertEqual(row["nframes"], "40")
        self.assertEqual(self.fit("--models", "1TCM", "--until", "0.5")[0], 3)

    def test_settings_of_the_blood_can_be_chosen(self):
        self.assertEqual(self.fit("--models", "1TCM", "--set", "free_fraction = 0.5", out="free")[0], 0)
        (row,) = table(self.folder / "free" / "model-1TCM_kinpar.tsv")
        self.assertAlmostEqual(float(row["VT/fP"]), 2 * float(row["VT"]), places=5)
        more = "".join(f"{60 * n + 30}\t4\t{3 - n / 30}\n" for n in range(10, 58))
        self.blood.write_text(BLOODPROC.replace("3600", f"{more}3600"))
        self.assertEqual(self.fit("--models", "1TCM", "--set", "interpolation=feng")[0], 0)
        about = json.loads((self.folder / "out" / "model-1TCM_kinpar.json").read_text())
        self.assertEqual(about["input_function"]["interpolation"], "feng")
        for wrong, code, words in (
            ("interpolation=spline", "settings-value", '"linear", "feng", "tri-exponential"'),
            ("colour=red", "settings-key", "interpolation"),
            ("vb=0.05", "settings-key", "known are"),
        ):
            found, _, err = self.fit("--models", "1TCM", "--set", wrong, out="no")
            self.assertEqual(found, 3)
            self.assertIn(f"error: {code}: ", err)
            self.assertIn(words, err)
        self.assertEqual(self.fit("--models", "1TCM", "--set", "interpolation")[0], 2)

    def test_help_says_what_the_settings_say(self):
        from TSPOQuantLib.outcome.settings import SETTINGS

        told = " ".join(run("fit", "--help")[1].split())
        for name in ("vb", "tstar_s", "last_frames", "delay_s", "bounds", "until_min"):
            self.assertIn(next(one.help for one in SETTINGS if one.name == name), told)

    def test_what_cannot_be_fitted_is_told_as_not_available(self):
        rows = [line.split("\t") for line in TACS.splitlines()]
        silent = "\n".join("\t".join([*row, "air" if index == 0 else "0"]) for index, row in enumerate(rows))
        self.tacs.write_text(silent + "\n")
        code, out, _ = self.fit("--models", "1TCM")
        self.assertEqual(code, 0)
        self.assertRegex(out, r"air +n/a\*")

    def test_a_delay_of_the_blood_is_undone(self):
        later = self.folder / "late_bloodproc.tsv"
        rows = [line.split("\t") for line in BLOODPROC.splitlines()[1:]]
        shifted = [f"{float(t) - 30}\t{wb}\t{aif}" for t, wb, aif in rows]
        later.write_text("\n".join(["time\twhole_blood_radioactivity\tAIF", *shifted]) + "\n")
        self.assertEqual(self.fit("--models", "1TCM")[0], 0)
        self.blood = later
        self.assertEqual(self.fit("--models", "1TCM", "--delay", "30", out="late")[0], 0)
        (given,), (undone,) = (table(self.folder / out / "model-1TCM_kinpar.tsv") for out in ("out", "late"))
        self.assertAlmostEqual(float(given["K1"]), float(undone["K1"]), places=5)
        self.assertEqual(float(undone["delay"]), 30)

    def test_frames_left_out_are_as_frames_that_the_file_lacks(self):
        header, *rows = TACS.splitlines()
        for more, kept in (
            (("--leave-out", "3,17"), lambda number, end: number not in (3, 17)),
            (("--until", "40"), lambda number, end: end <= 2400),
            (("--until", "50", "--leave-out", "60,2"), lambda number, end: number != 2 and end <= 3000),
        ):
            with self.subTest(more):
                self.tacs.write_text(TACS)
                models = ("--models", "1TCM,2TCM,Logan,MA1,Patlak", "--force")
                self.assertEqual(self.fit(*models, *more)[0], 0)
                ends = [float(row.split("\t")[1]) for row in rows]
                shorter = [row for n, (row, end) in enumerate(zip(rows, ends, strict=True), 1) if kept(n, end)]
                self.tacs.write_text("\n".join([header, *shorter]) + "\n")
                self.assertEqual(self.fit(*models, out="short")[0], 0)
                for model in ("1TCM", "2TCM", "Logan", "MA1", "Patlak"):
                    given, cut = (
                        (self.folder / out / f"model-{model}_kinpar.tsv").read_text() for out in ("out", "short")
                    )
                    self.assertEqual(given, cut)
                    self.assertEqual(
                        table(self.folder / "out" / "model-1TCM_kinpar.tsv")[0]["nframes"], str(len(shorter))
                    )

    def test_frames_that_cannot_be_left_out(self):
        for more, code in (
            (("--leave-out", "0"), 2),
            (("--leave-out", "3;4"), 2),
            (("--until", "0"), 2),
            (("--leave-out", "61"), 3),
            (("--until", "0.5"), 3),
        ):
            with self.subTest(more):
                self.assertEqual(self.fit("--models", "1TCM", *more)[0], code)

    def test_models_side_by_side(self):
        code, out, _ = self.fit("--models", "1TCM,2TCM3k,2TCM,Logan", "--json")
        self.assertEqual(code, 0)
        rows = table(self.folder / "out" / "model-comparison.tsv")
        self.assertEqual([row["model"] for row in rows], ["1TCM", "2TCM3k", "2TCM"])
        self.assertEqual([row["simpler"] for row in rows], ["n/a", "1TCM", "2TCM3k"])
        self.assertEqual(min(float(row["AICc"]) for row in rows), 0)
        self.assertAlmostEqual(sum(float(row["weight"]) for row in rows), 1, places=6)
        for row in rows[1:]:
            for column in ("F", "F-p", "LR", "LR-p"):
                self.assertGreaterEqual(float(row[column]), 0)
        self.assertEqual(len(json.loads(out)["comparison"]), 3)

    def test_intervals_on_request(self):
        more = ("--profile", "--bootstrap", "200")
        self.assertEqual(self.fit("--models", "1TCM,Logan", *more)[0], 0)
        (row,) = table(self.folder / "out" / "model-1TCM_kinpar.tsv")
        value, error = float(row["VT"]), float(row["VT-se"])
        for way in ("profile", "bootstrap"):
            low, high = float(row[f"VT-{way}-low"]), float(row[f"VT-{way}-high"])
            self.assertLess(low, value)
            self.assertGreater(high, value)
            self.assertAlmostEqual((high - low) / (4 * error), 1, delta=0.3)
        about = json.loads((self.folder / "out" / "model-1TCM_kinpar.json").read_text())
        self.assertEqual(about["VT-profile-low"]["Units"], "mL/cm3")
        (row,) = table(self.folder / "out" / "model-Logan_kinpar.tsv")
        self.assertNotIn("VT-profile-low", row)
        self.assertEqual(self.fit("--models", "Logan", "--profile", "--force")[0], 3)
        self.assertEqual(self.fit("--models", "1TCM", "--bootstrap", "5", "--force")[0], 2)

    def test_each_model_prints_its_own_outcome(self):
        code, out, _ = self.fit("--models", "2TCM3k,Patlak")
        self.assertEqual(code, 0)
        (line,) = (line for line in out.splitlines() if line.startswith("muscle"))
        self.assertEqual(line.count("K_i "), 2)
        self.assertNotIn("0.00 ", line)
        self.assertIn("quantify's default: counts", out)

    def test_refusals_are_one_line_and_leave_nothing(self):
        minutes = self.folder / "minutes_bloodproc.tsv"
        minutes.write_text("time\twhole_blood_radioactivity\tAIF\n0\t0\t0\n1\t20\t20\n10\t4\t3\n60\t2\t1\n")
        short = self.folder / "short_bloodproc.tsv"
        short.write_text(BLOODPROC.replace("3600", "2000"))
        becquerel = self.folder / "bq_bloodproc.tsv"
        becquerel.write_text(
            "time\twhole_blood_radioactivity\tAIF\n0\t0\t0\n60\t2e4\t2e4\n600\t4e3\t3e3\n3600\t2e3\t1e3\n"
        )
        for blood in (minutes, short, becquerel, self.folder / "absent.tsv", self.tacs):
            with self.subTest(blood.name):
                self.blood = blood
                code, out, err = self.fit("--models", "1TCM")
                self.assertEqual((code, out, len(err.splitlines())), (3, "", 1), err)
                self.assertRegex(err, r"^error: [a-z0-9-]+: \S")
                self.assertFalse((self.folder / "out").exists())

    def test_usage_errors(self):
        for wrong in (
            ("--models", "1TCM", "--vb", "0.05"),
            ("--models", "1TCM", "--bounds", "k2=1:0"),
            ("--models", "Logan", "--frames", "8"),
            ("--models", "Logan", "--tstar", "late"),
            (),
        ):
            with self.subTest(wrong):
                self.assertEqual(self.fit(*wrong)[0], 2)
        self.assertEqual(self.fit("--models", "3TCM")[0], 3)

    def test_what_has_no_effect_is_told(self):
        told = self.fit("--models", "1TCM", "--tstar", "1200", "--weight", "70", "--given", self.blood)[2]
        self.assertEqual(told.count("option-unused"), 2)
        self.assertIn("blood-unused", told)
        told = self.fit("--models", "Logan", "--tstar", "1200", out="line")[2]
        self.assertNotIn("-unused", told)

    def test_results_are_not_overwritten(self):
        self.assertEqual(self.fit("--models", "1TCM")[0], 0)
        code, _, err = self.fit("--models", "1TCM")
        self.assertEqual(code, 3)
        self.assertIn("output-exists", err)
        self.assertEqual(self.fit("--models", "1TCM", "--force")[0], 0)


@slow
@slow
@needs_data
class RealPeopleTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.out = Path(folder.name)

    def fit(self, scan, folder, blood, *more):
        out = self.out / scan
        tacs = one(folder, "*_tacs.tsv")
        code, _, err = run("fit", tacs, *(f"--blood={path}" for path in blood), "--out", out, "--force", *more)
        self.assertEqual(code, 0, err)
        return {path.stem: {row["region"]: row for row in table(path)} for path in out.glob("*_kinpar.tsv")}

    def test_1tcm_equals_the_exact_solver(self):
        reference = table(DATA / "pbr28" / "reference_exact.csv")
        compared = 0
        for scan, folder in scans():
            for setting, vb, bounds in (
                ("X4_unw_vB0", "none", "K1=0:1,k2=0:0.5"),
                ("X5_unw_vBfit", "fit", "K1=0:1,k2=0:0.5,VB=0:0.5"),
            ):
                ours = self.fit(
                    scan, folder, [one(folder, "*_bloodproc.tsv")],
                    "--models", "1TCM", "--vb", vb, "--weights", "uniform", "--bounds", bounds,
                )["model-1TCM_kinpar"]  # fmt: skip
                for row in reference:
                    free = row["at_bound"].lower() == "false"
                    if free and (row["PET"], row["model"], row["setting"]) == (scan, "1TCM", setting):
                        ratio = float(ours[row["ROI"]]["VT"]) / float(row["Vt"])
                        self.assertAlmostEqual(ratio, 1, delta=1e-3, msg=str(row))
                        compared += 1
        self.assertGreaterEqual(compared, 60)

    def test_logan_equals_kinfitr(self):
        reference = table(DATA / "pbr28" / "reference_kinfitr.csv")
        compared = 0
        for scan, folder in scans():
            for frames in (8, 10):
                ours = self.fit(
                    scan, folder, [one(folder, "*_bloodproc.tsv")],
                    "--models", "Logan", "--vb", "none", "--weights", "uniform", "--frames", f"last:{frames}",
                )["model-Logan_kinpar"]  # fmt: skip
                for row in reference:
                    same = (row["PET"], row["model"], row["tstar_frames"]) == (scan, "Logan", str(frames))
                    if same and row["setting"][:2] in ("G1", "G2"):
                        ratio = float(ours[row["ROI"]]["VT"]) / float(row["Vt"])
                        self.assertAlmostEqual(ratio, 1, delta=5e-3, msg=str(row))
                        compared += 1
        self.assertGreaterEqual(compared, 72)

    def test_raw_blood_agrees_with_the_processed_one(self):
        # Logan hardly sees dispersion; another program's processing of the same samples is no exact truth.
        for scan, folder in scans():
            arguments = ("--models", "Logan", "--vb", "none", "--frames", "last:10")
            ready = self.fit(scan, folder, [one(folder, "*_bloodproc.tsv")], *arguments)["model-Logan_kinpar"]
            raw = self.fit(scan, folder, sorted(folder.glob("*_blood.tsv")), *arguments)["model-Logan_kinpar"]
            for region, row in ready.items():
                ratio = float(raw[region]["VT"]) / float(row["VT"])
                self.assertAlmostEqual(ratio, 1, delta=0.2, msg=f"{scan} {region}")

    def test_every_session_of_another_tracer(self):
        dataset = DATA / "pet_bids_ds004869"
        sessions = sorted(dataset.glob("sub-*/ses-*/pet"))
        self.assertEqual(len(sessions), 8)
        for pet in sessions:
            subject, session = pet.parts[-3:-1]
            tacs = dataset / "derivatives" / "petprep" / subject / session / "pet"
            more = ["--pet-json", one(pet, "*_pet.json"), "--models", "1TCM,Logan"]
            if (subject, session) == ("sub-01", "ses-blocked"):
                # Its blood is in kBq/mL, as in the other seven; its JSON says Bq/mL.
                blood = one(pet, "*_blood.tsv")
                code, _, err = run("fit", one(tacs, "*.tsv"), "--blood", blood, "--out", self.out / "refused", *more)
                self.assertEqual((code, err.split(":")[1].strip()), (3, "blood-activity-units"))
                corrected = self.out / "corrected.json"
                corrected.write_text(blood.with_suffix(".json").read_text().replace('"Bq/mL"', '"kBq/mL"'))
                more += ["--blood-json", corrected]
            fits = self.fit(subject + session, tacs, pet.glob("*_blood.tsv"), *more)
            for model in fits.values():
                self.assertGreater(len(model), 90)
                # A slip of 1000 in either unit would show.
                self.assertTrue(0.3 < float(model["Left-Thalamus"]["VT"]) < 30)


if __name__ == "__main__":
    unittest.main()
