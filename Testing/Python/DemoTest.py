"""The whole chain on the simulated neck: DICOM in, V_T out, against the phantom's own truth."""

import json
import tempfile
import unittest
from dataclasses import replace
from pathlib import Path

import numpy as np
from support.commandline import run
from support.phantomvisit import write_one
from support.tiers import slow
from support.without import without_budget
from TSPOQuantLib.acquisition.dicom import read_ct, read_dynamic_pet
from TSPOQuantLib.alignment.motion import estimate_motion
from TSPOQuantLib.alignment.pet_to_ct import align_to_ct
from TSPOQuantLib.phantom import PhantomSettings
from TSPOQuantLib.pipeline.quantification import quantify_visit
from TSPOQuantLib.pipeline.visit_data import read_visit
from TSPOQuantLib.study import read_study

IDEAL = ("--fast", "--fwhm", "0", "--noise", "0", "--motion", "0", "--no-report")


@slow
class IdealScannerTest(unittest.TestCase):
    """Without blur, noise and motion nothing but the program stands between the files and the truth."""

    @classmethod
    def setUpClass(cls):
        """The foramen that the affected one is held against is made to differ between the visits."""
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.out = Path(folder.name) / "demo"
        truth = Path(folder.name) / "truth.json"
        truth.write_text(json.dumps({"foramen C6/C7 right": {"baseline": 8.0, "followup": 9.0}}), encoding="utf-8")
        more = ("--vendor", "philips", "--input", "true", "--truth", truth)
        cls.enterClassContext(without_budget())
        code, out, err = run("demo", *IDEAL, *more, "--out", cls.out, "--json")
        assert code == 0, err
        cls.record = json.loads(out)

    def test_true_input(self):
        rows = self.record["regions"]
        self.assertEqual(len(rows), 2 * 2 * 18)
        self.assertLess(max(abs(row["VT"] / row["truth_VT"] - 1) for row in rows if row["model"] == "1TCM"), 0.01)
        changes = {row["outcome"]: row for row in self.record["table1"]}
        for key, baseline, followup in (("VT_foramen_C6C7_left", 12.96, 6.21), ("VT_cord_C7", 6.43, 5.38)):
            self.assertAlmostEqual(changes[key]["baseline"] / baseline, 1, delta=0.01)
            self.assertAlmostEqual(changes[key]["followup"] / followup, 1, delta=0.01)
        self.assertEqual((changes["vas_arm"]["baseline"], changes["vas_arm"]["followup"]), (42, 6))
        self.assertAlmostEqual(changes["vas_arm"]["change"], -85.7, places=1)

    def test_another_truth_is_seen(self):
        other = [
            (row["visit"], row["VT"], row["truth_VT"])
            for row in self.record["regions"]
            if (row["structure"], row["level"], row["side"], row["model"]) == ("foramen", "C6/C7", "right", "1TCM")
        ]
        self.assertEqual([(visit, true) for visit, _, true in other], [("baseline", 8.0), ("followup", 9.0)])
        for _, found, true in other:
            self.assertAlmostEqual(found / true, 1, delta=0.01)

    def test_image_derived_input(self):
        """One visit of the same neck as a site would have it."""
        study = read_study(self.out / "phantom" / "ses-baseline" / "study.toml")
        self.assertEqual(study.settings.input_source, "image-derived")
        # A neck that lies still: nothing to align.
        study = replace(study, settings=replace(study.settings, models=("1TCM",), motion_correction="none"))
        truth = json.loads((self.out / "phantom" / "truth.json").read_text(encoding="utf-8"))
        true = truth["visits"]["baseline"]["regions"]
        rows = quantify_visit(study, read_visit(study)).record.rows
        self.assertEqual(len(rows), 18)
        for row in rows:
            self.assertAlmostEqual(row.VT / true[row.region]["VT"], 1, delta=0.03)


@slow
class MovingNeckTest(unittest.TestCase):
    """Blur, noise and drift at their defaults: the foramina are followed through the long frames."""

    def test_foramina_are_found_in_every_long_frame(self):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder) / "neck"
            session = "followup"  # the neck is bent at it
            write_one(root, PhantomSettings(fast=True), session)
            visit = json.loads((root / "truth.json").read_text(encoding="utf-8"))["visits"][session]
            image = read_dynamic_pet(root / f"ses-{session}" / "pet")
            motion = estimate_motion(image)
            ct = read_ct(root / f"ses-{session}" / "ct")
            to_reference = align_to_ct(image, ct, motion).ct_to_reference
            centers = np.array([[*f["center_lps_mm"], 1] for f in visit["foramina"].values()]).T
            for frame in np.flatnonzero(image.timing.durations_s >= 300):
                true = np.array(visit["motion_ct_to_frame_lps"][frame]) @ centers
                found = motion.reference_to_frame[frame] @ to_reference @ centers
                rms = np.sqrt(((true - found)[:3] ** 2).sum(axis=0).mean())
                still = np.sqrt(((true - centers)[:3] ** 2).sum(axis=0).mean())
                with self.subTest(session=session, frame=int(frame), uncorrected_mm=round(float(still), 1)):
                    self.assertLess(rms, 0.7)


class RefusedTest(unittest.TestCase):
    def test_quantify_says_what_where_and_what_to_do(self):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            (root / "pet").mkdir()
            (root / "s.seg.nrrd").touch()
            study = root / "study.toml"
            study.write_text('[pet]\npath = "pet"\n[segmentation]\npath = "s.seg.nrrd"\n')
            for path in (root / "absent.toml", study):
                code, out, err = run("quantify", path, "--out", root / "out")
                self.assertEqual((code, out, len(err.splitlines())), (3, "", 1), err)
                self.assertRegex(err, r"^error: [a-z0-9-]+: \S")
                self.assertFalse((root / "out").exists())


if __name__ == "__main__":
    unittest.main()
