"""Hot neighbors of the phantom: where they lie, what they hold, and that the plain neck does not know them."""

import unittest

import numpy as np
from TSPOQuantLib.messages import InputRefused
from TSPOQuantLib.phantom.anatomy import build_anatomy, ct_grid
from TSPOQuantLib.phantom.neck import BONES, LABEL, NEIGHBORS, STRUCTURES, Build, Pose
from TSPOQuantLib.phantom.neighbors import (
    NEIGHBOR_LABEL,
    VT_RANGES,
    draw_neighbors,
    kinetics_with,
    tissues_of,
)
from TSPOQuantLib.phantom.settings import PhantomSettings
from TSPOQuantLib.phantom.tracer import Kinetics, frame_averages, kinetics_of
from TSPOQuantLib.progress import silent

BUILD, POSE = Build(), Pose(np.eye(4))
REFERENCE = draw_neighbors(1, np.random.default_rng(0))


class TissuesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.anatomy = build_anatomy(ct_grid(True, wide=True), BUILD, POSE, silent)
        cls.tissues = tissues_of(cls.anatomy, BUILD, POSE, REFERENCE)

    def replaced(self, name):
        """What the plain neck has where a neighbor is."""
        return set(np.unique(self.anatomy.labels[self.tissues == NEIGHBOR_LABEL[name]]))

    def test_only_what_the_neighbors_take_is_another_tissue(self):
        changed = self.tissues != self.anatomy.labels
        np.testing.assert_array_equal(changed, self.tissues >= len(STRUCTURES))
        soft = {LABEL["muscle"], LABEL["fat"]}
        for name in NEIGHBORS:
            with self.subTest(name):
                self.assertTrue(self.replaced(name))
                self.assertLessEqual(self.replaced(name), {LABEL[b] for b in BONES} if name == "marrow" else soft)

    def test_marrow_has_cortex_all_around_it(self):
        marrow = self.tissues == NEIGHBOR_LABEL["marrow"]
        bone = np.isin(self.tissues, [LABEL[name] for name in BONES]) | marrow
        for axis in range(3):
            for step in (-1, 1):
                beside = np.roll(bone, step, axis)
                self.assertTrue(beside[1:-1, 1:-1, 1:-1][marrow[1:-1, 1:-1, 1:-1]].all())
        share = marrow.sum() / bone.sum()
        self.assertTrue(0.3 < share < 0.8, share)

    def test_every_foramen_has_a_vein_at_its_outer_end(self):
        veins = np.argwhere(self.tissues == NEIGHBOR_LABEL["epidural vein"])[:, ::-1].astype(float)
        places = self.anatomy.grid.to_lps(veins)
        for foramen in self.anatomy.foramina:
            end = foramen.center_lps_mm + 3.5 * foramen.axes_lps[:, 0]
            self.assertLess(np.linalg.norm(places - end, axis=1).min(), 4.0, foramen.name)


class KineticsTest(unittest.TestCase):
    def test_the_plain_neck_is_as_it_was(self):
        plain = kinetics_with(PhantomSettings(), "baseline", None)
        self.assertEqual(plain, kinetics_of("baseline", {}))
        self.assertEqual(list(plain), list(STRUCTURES))

    def test_numbers_of_tissues_are_places_in_the_table(self):
        table = list(kinetics_with(PhantomSettings(hot_neighbors=True), "baseline", REFERENCE))
        self.assertEqual(table, [*STRUCTURES, *NEIGHBORS])
        for name, number in NEIGHBOR_LABEL.items():
            self.assertEqual(table[number], name)

    def test_a_neighbor_has_the_v_t_asked_for_and_the_plain_neck_refuses_it(self):
        asked = {"marrow": {"followup": 13.0}}
        hot = PhantomSettings(hot_neighbors=True, truth=asked)
        self.assertEqual(kinetics_with(hot, "followup", REFERENCE)["marrow"].vt, 13.0)
        self.assertEqual(kinetics_with(hot, "baseline", REFERENCE)["marrow"].vt, REFERENCE.vt["marrow"])
        with self.assertRaises(InputRefused):
            kinetics_with(PhantomSettings(truth=asked), "followup", None)

    def test_drawn_necks_differ_within_the_ranges(self):
        drawn = [draw_neighbors(seed, np.random.default_rng(seed)) for seed in range(2, 40)]
        for name, (low, high) in VT_RANGES.items():
            values = np.array([one.vt[name] for one in drawn])
            self.assertTrue((values >= low).all() and (values <= high).all())
            self.assertGreater(values.max() / values.min(), 0.6 * high / low)

    def test_two_compartments_have_the_same_v_t_and_another_curve(self):
        settings = PhantomSettings(hot_neighbors=True, two_tissue=True, foramen_k1=0.3)
        table = kinetics_with(settings, "baseline", REFERENCE)
        self.assertEqual(table["foramen C6/C7 left (root C7)"].k1, 0.3)
        self.assertEqual(table["foramen C6/C7 left (root C7)"].k3, 0.0)
        for name in ("cord C5", "marrow", "thyroid"):
            k = table[name]
            self.assertAlmostEqual(k.k1 / k.k2 * (1 + k.k3 / k.k4), k.vt)

    def test_two_compartments_against_their_closed_form(self):
        k = Kinetics(0.2, 6.0, 0.0, 0.06, 0.04)
        (found,) = frame_averages({"x": k}, lambda t: 2.0 + 0 * t, lambda t: 0 * t, 0.0)
        # Constant input: C = V_T C_P less two exponentials, with rates from the characteristic equation [textbook].
        total = k.k2 + k.k3 + k.k4
        root = np.sqrt(total**2 - 4 * k.k2 * k.k4)
        rates = np.array([total + root, total - root]) / 2
        weights = k.k1 * (k.k3 + k.k4 - rates) / (rates[::-1] - rates)
        t = np.linspace(50.0, 60.0, 20001)
        curve = sum(2.0 * w / r * (1 - np.exp(-r * t)) for w, r in zip(weights, rates, strict=True))
        self.assertAlmostEqual(found[-1] / curve.mean(), 1, delta=1e-6)


if __name__ == "__main__":
    unittest.main()
