"""The lumbar spine: the simulated one, proposals on it, and a whole lumbar PET/MR study of tiny visits."""

import unittest
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import numpy as np
from scipy.ndimage import gaussian_filter
from support import dicommaker
from support.tiers import slow
from support.tinystudy import CT_MM, CT_SHAPE, INJECTION, TRUE_VT, DicomVisit, quantified
from TSPOQuantLib.acquisition.frames import FrameTiming
from TSPOQuantLib.acquisition.image import MR_SIGNAL, DynamicImage, Scan, Volume
from TSPOQuantLib.acquisition.segmentation import Segment, Segmentation
from TSPOQuantLib.grid import Grid
from TSPOQuantLib.levels import LEVELS
from TSPOQuantLib.messages import InputRefused
from TSPOQuantLib.outcome.clinical_file import read_clinical
from TSPOQuantLib.outcome.compare import compare
from TSPOQuantLib.outcome.record import read_record
from TSPOQuantLib.phantom import PhantomSettings
from TSPOQuantLib.phantom.lumbar import AFFECTED, LUMBAR, build_lumbar, grids, kinetics_at
from TSPOQuantLib.phantom.mr import mr_signal, with_magnitude_noise
from TSPOQuantLib.phantom.neck import Build, Pose
from TSPOQuantLib.phantom.segments import segment_numbers, segments
from TSPOQuantLib.progress import silent
from TSPOQuantLib.regions.anatomy import identify
from TSPOQuantLib.regions.blood_pool import propose_blood_pool
from TSPOQuantLib.regions.naming import check_names
from TSPOQuantLib.regions.proposals import propose_cord, propose_foramina
from TSPOQuantLib.reporting.report_visit import MIXED, _mixtures
from TSPOQuantLib.reporting.words import Words

NAMES = ("foramen L4/L5 left (root L4)", "L4-5 D", "foramen L1/L2 gauche")
CLINICAL = """[lesion]
level = "L4/L5"
side = "left"
[[visit]]
session = "baseline"
vas_leg = 60
odi = 42
mrc_ankle_dorsiflexion = 4
[[visit]]
session = "followup"
vas_leg = 20
odi = 22
mrc_ankle_dorsiflexion = 5
"""


class PlanTest(unittest.TestCase):
    def test_every_structure_has_its_kinetics(self):
        for visit in ("baseline", "followup"):
            self.assertEqual(list(kinetics_at(visit)), list(LUMBAR.structures))
        self.assertLess(kinetics_at("followup")[AFFECTED].vt, kinetics_at("baseline")[AFFECTED].vt)

    def test_segments_say_what_they_are(self):
        drawn = segments(plan=LUMBAR)
        for one in drawn:
            found = identify(one.name, one.tags)
            self.assertEqual((found.structure, found.level, found.side), (one.structure, one.level, one.side))
        foramina = [one for one in drawn if one.structure == "foramen"]
        self.assertEqual({one.level for one in foramina}, {"L1/L2", "L2/L3", "L3/L4", "L4/L5", "L5/S1"})
        self.assertEqual({one.level: one.root for one in foramina}, {n: LEVELS[n].root for n in LEVELS if n[0] == "L"})
        named = [Segment(one.name, one.name, np.ones((1, 1, 1), bool), one.color, one.tags) for one in drawn]
        self.assertEqual(check_names(named), ())

    def test_what_it_does_not_have_is_refused(self):
        for more in ({"scanner": "osem"}, {"hot_neighbors": True}, {"shape": "facets=1"}):
            with self.assertRaises(InputRefused) as caught:
                PhantomSettings(spine="lumbar", **more)
            self.assertEqual(caught.exception.code, "phantom-setting")
        for wrong in ({"spine": "sacral"}, {"anatomy": "us"}):
            with self.assertRaises(InputRefused):
                PhantomSettings(**wrong)


@slow
class ProposalTest(unittest.TestCase):
    def test_foramina_are_proposed_on_an_mr_from_labels(self):
        anatomy = build_lumbar(grids(True)[0], Build(), Pose(np.eye(4)), silent)
        sizes = np.bincount(anatomy.labels.ravel(), minlength=len(LUMBAR.structures)) * anatomy.grid.voxel_volume_mm3
        wanted = np.pi / 4 * 17.46 * 9.08 * 8
        np.testing.assert_allclose(sizes[:10], wanted, rtol=0.15)
        numbers = segment_numbers(anatomy.labels, anatomy.grid, plan=LUMBAR)
        number = next(n for n, one in enumerate(segments(plan=LUMBAR), start=1) if one.name == "cord T12")
        top = np.flatnonzero((numbers == number).any(axis=(1, 2))).max()
        below = (numbers.shape[0] - 1 - top) * anatomy.grid.spacing_mm[2]
        self.assertGreaterEqual(below, 6 - 1.5)  # the body may move by some mm and no region leaves the field
        mr = Volume(
            with_magnitude_noise(mr_signal(anatomy, LUMBAR), np.random.default_rng(2)), anatomy.grid, MR_SIGNAL
        )
        drawn = [
            Segment(name, f"vertebra {name}", anatomy.labels == LUMBAR.label[f"vertebra {name}"])
            for name in ("L3", "L4", "L5")
        ]
        found, told = propose_foramina(Segmentation(anatomy.grid, tuple(drawn)), mr)
        self.assertIn("count them from the sacrum", told[-1].message)
        true = {one.name: one.center_lps_mm for one in anatomy.foramina}
        off = {one.name: np.linalg.norm(one.canal.center - true[one.name]) for one in found if one.segment}
        self.assertEqual(len(off), 4, [(one.name, one.code) for one in found])
        self.assertLess(max(off.values()), 2.5)
        labels = {name: anatomy.labels == LUMBAR.label[name] for name in ("cord T12", "cord L1")}
        bones = ("T12", "L1", "L2", "L3")
        drawn = [Segment(name, name, anatomy.labels == LUMBAR.label[f"vertebra {name}"]) for name in bones]
        (piece,) = propose_cord(Segmentation(anatomy.grid, tuple(drawn)))
        self.assertEqual((piece.name, piece.code), ("cord L1", "cord-missing"))
        drawn.append(Segment("cord", "spinal_cord", np.any(list(labels.values()), axis=0)))
        (piece,) = propose_cord(Segmentation(anatomy.grid, tuple(drawn)))
        off = np.argwhere(piece.segment.mask).mean(axis=0) - np.argwhere(labels["cord L1"]).mean(axis=0)
        self.assertLess(np.linalg.norm(off * anatomy.grid.spacing_mm[::-1]), 4.0)


class MixtureTest(unittest.TestCase):
    """What a region's signal is made of: tissues that only a CT tells apart have no column without one."""

    def header(self, *tissues):
        corrected = SimpleNamespace(
            tissues=("foramen", *tissues), shares=(0.6, 0.3, 0.1)[: 1 + len(tissues)], spread=0.1
        )
        region = SimpleNamespace(name="r", place=("foramen", "L4/L5", "left"), corrected=corrected)
        (table,) = _mixtures(SimpleNamespace(session="a", regions=(region,)), Words("en"))
        self.assertEqual(len(table.rows[0]), len(table.header))
        return table.header

    def test_no_share_is_told_of_what_an_mr_does_not_show(self):
        self.assertEqual(len(self.header("uniform")) + len(MIXED), len(self.header("bone", "uniform")))


class BloodPoolTest(unittest.TestCase):
    """The aorta, not the vena cava beside it, in an image of two wide tubes."""

    def test_the_aorta_alone_is_proposed(self):
        spacing, shape = np.array([4.0, 3.0, 3.0]), (30, 48, 48)
        _, j, i = np.indices(shape)
        x, y = (i - 23.5) * spacing[2], (j - 23.5) * spacing[1]
        body = np.hypot(x, y) < 60
        aorta, cava = np.hypot(x - 9, y + 12) < 8.5, np.hypot(x + 14, y + 12) < 9.5
        times = FrameTiming([0, 10, 20, 30, 60, 300], [10, 10, 10, 30, 240, 600])
        tissue, blood = (0, 0.3, 1, 2, 3, 3), (0, 25, 50, 20, 4, 2)
        still = np.stack([np.where(aorta | cava, b, t * body) for t, b in zip(tissue, blood, strict=True)])
        blurred = gaussian_filter(still.astype(float), (0, *(5 / 2.355 / spacing)))
        origin = np.diag([*spacing[::-1], 1.0])
        origin[:3, 3] = -spacing[::-1] * (np.array(shape[::-1]) - 1) / 2
        image = DynamicImage(blurred.astype(np.float32), Grid(shape, origin), times, "injection", None, "", Scan())
        found = propose_blood_pool(image, 5.0, below_neck=True)
        self.assertEqual([one.side for one in found.vessels], ["left"], found.reason)
        self.assertAlmostEqual(found.vessels[0].diameter_mm, 17, delta=1.5)
        self.assertGreater(aorta[found.segment.mask].mean(), 0.97)
        self.assertFalse(cava[found.segment.mask].any())


@slow
class StudyTest(unittest.TestCase):
    """PET/MR of a lumbar spine, from DICOM to the comparison."""

    def test_from_dicom_to_the_comparison(self):
        with TemporaryDirectory() as name:
            folder, results = Path(name), []
            for session in ("baseline", "followup"):

                def as_mr(header):
                    if header.Modality == "PT":
                        header.AttenuationCorrectionMethod = "MRAC DIXON"

                study = DicomVisit(session, names=NAMES, with_ct=False, edit=as_mr).write(folder / session)
                plan = dicommaker.PetPlan(shape=CT_SHAPE, spacing_mm=CT_MM, injection=INJECTION[session])
                dicommaker.write_mr(folder / session / "mr", plan)
                text = study.read_text(encoding="utf-8").replace("[segmentation]", '[mr]\npath = "mr"\n[segmentation]')
                study.write_text(text, encoding="utf-8")
                results.append(folder / f"out-{session}")
                record = quantified(study, results[-1])
                left, right = (record.row("foramen", "L4/L5", side, "1TCM") for side in ("left", "right"))
                np.testing.assert_allclose((left.VT, right.VT), tuple(TRUE_VT[session].values()), rtol=1e-3)
                self.assertEqual((record.acquisition.anatomy, record.acquisition.attenuation), ("MR", "MRAC DIXON"))
            (folder / "clinical.toml").write_text(CLINICAL, encoding="utf-8")
            self.assertEqual(read_clinical(folder / "clinical.toml").lesion.root, "L4")
            compared = compare([read_record(one) for one in results], read_clinical(folder / "clinical.toml"))
            self.assertEqual(
                [one.outcome for one in compared.table1],
                [
                    "vas_leg",
                    "VT_foramen_L4L5_left",
                    "odi",
                    "mrc_ankle_dorsiflexion",
                    "VT_foramen_L1L2_left",
                ],
            )
            kinds = {(one.kind, one.against) for one in compared.contrasts}
            self.assertEqual(kinds, {("unaffected", NAMES[2]), ("contralateral", NAMES[1])})
            self.assertFalse({"visits-attenuation", "visits-anatomy"} & {one.code for one in compared.findings})


if __name__ == "__main__":
    unittest.main()
