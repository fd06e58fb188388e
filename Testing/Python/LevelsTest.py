"""Every level of the spine: its vertebrae, the root that leaves there, the cord beside it; what names say of it."""

import unittest
from dataclasses import replace
from itertools import pairwise, product

import numpy as np
from support import visitrecords as made
from TSPOQuantLib.acquisition.image import MR_SIGNAL, Volume
from TSPOQuantLib.acquisition.segmentation import Segment
from TSPOQuantLib.grid import Grid
from TSPOQuantLib.levels import CORD_SEGMENTS, LEVELS, OF_ROOT, SIZES_MM, VERTEBRAE, above, in_neck
from TSPOQuantLib.messages import InputRefused
from TSPOQuantLib.outcome.clinical import Clinical, Lesion
from TSPOQuantLib.outcome.compare import compare
from TSPOQuantLib.outcome.settings import StudySettings
from TSPOQuantLib.pipeline.placement import check_unaffected
from TSPOQuantLib.regions.anatomy import Anatomy, has_cord, identify
from TSPOQuantLib.regions.naming import check_names
from TSPOQuantLib.regions.region import Region
from TSPOQuantLib.regions.template import name_of, segment_of, template
from TSPOQuantLib.regions.two_click import foramen_between
from TSPOQuantLib.reporting.dicom_context import place_codes, region_codes

# Textbook: pairs of vertebrae, the root that leaves between them.
ROOTS = """C1/C2 C2, C2/C3 C3, C3/C4 C4, C4/C5 C5, C5/C6 C6, C6/C7 C7, C7/T1 C8, T1/T2 T1, T2/T3 T2, T3/T4 T3,
T4/T5 T4, T5/T6 T5, T6/T7 T6, T7/T8 T7, T8/T9 T8, T9/T10 T9, T10/T11 T10, T11/T12 T11, T12/L1 T12,
L1/L2 L1, L2/L3 L2, L3/L4 L3,
L4/L5 L4, L5/S1 L5, S1/S2 S1"""


class LevelsTest(unittest.TestCase):
    def test_every_root_leaves_where_it_does(self):
        wanted = [tuple(entry.split()) for entry in ROOTS.replace("\n", " ").split(",")]
        self.assertEqual([(level.name, level.root) for level in LEVELS.values()], wanted)
        self.assertEqual([(OF_ROOT[root].name, root) for _, root in wanted], wanted)

    def test_the_cord_beside_a_level(self):
        for name, cord in (
            ("C2/C3", "C3"),
            ("C6/C7", "C7"),
            ("C7/T1", "T1"),
            ("T1/T2", "T1"),
            ("T11/T12", "T11"),
            ("L1/L2", "L1"),
            ("L2/L3", ""),
            ("L5/S1", ""),
            ("S1/S2", ""),
        ):
            self.assertEqual(LEVELS[name].cord, cord, name)

    def test_segments_of_the_cord_run_on_without_a_gap(self):
        told = [part for segment in CORD_SEGMENTS.values() for part in segment.split("-")]
        self.assertEqual(told[0], "C2")
        self.assertEqual(
            [CORD_SEGMENTS[v] for v in ("C7", "T6", "T9", "T10", "T12", "L1")],
            ["C8", "T8", "T12", "L1-L2", "L5-S1", "S2-Co1"],
        )
        self.assertEqual(list(CORD_SEGMENTS), list(VERTEBRAE[: VERTEBRAE.index("L2")]))

    def test_sizes_are_those_that_were_published_or_none(self):
        sized = {name: level.size_mm for name, level in LEVELS.items() if level.size_mm}
        lumbar = ("L1/L2", "L2/L3", "L3/L4", "L4/L5", "L5/S1")
        self.assertEqual(sized, {**SIZES_MM, **dict.fromkeys(lumbar, (17.46, 9.08))})
        self.assertEqual(LEVELS["C6/C7"].size_mm, (8.43, 6.83))
        self.assertIsNone(LEVELS["T4/T5"].size_mm)

    def test_every_level_has_its_neighbors(self):
        order = list(LEVELS)
        for above_it, level in pairwise(order):
            self.assertEqual(LEVELS[above_it].lower, LEVELS[level].upper)
            self.assertEqual(above(level, 1), above_it if above_it != "C1/C2" else None)
        self.assertEqual((order[0], order[-1]), ("C1/C2", "S1/S2"))

    def test_every_level_has_its_cord_or_roots_alone(self):
        for level in LEVELS.values():
            own = level.lower if level.part == "cervical" else level.upper
            self.assertEqual(level.cord, own if own in CORD_SEGMENTS else "", level.name)
            self.assertEqual(has_cord(own), own[0] in "CT" or own == "L1", level.name)

    def test_levels_above(self):
        for level, steps, wanted in (
            ("C6/C7", 3, "C3/C4"),
            ("C4/C5", 3, None),  # no canal of bone between C1 and C2
            ("C5/C6", 3, "C2/C3"),
            ("L4/L5", 3, "L1/L2"),
            ("L1/L2", 3, "T10/T11"),
            ("T1/T2", 1, "C7/T1"),
            ("C4", 3, None),
            ("T1", 3, "C5"),
            ("", 3, None),
            ("C5/C7", 1, None),
        ):
            self.assertEqual(above(level, steps), wanted, level)


class NameTest(unittest.TestCase):
    def test_short_forms_and_french(self):
        for names, wanted in (
            (
                "foramen C6/C7 gauche|C6-C7 L|foramen C6/7 left|NF C7 L|C6/7L|L C6/7|Foramen c6/c7 LEFT copy|"
                "foramen_C6_C7_left|trou de conjugaison C6-C7 gauche|"
                + "foramen C7 left|foramen C6/C7 left (root C7)|lt C6C7|foramen intervertébral C6–C7 G",
                Anatomy("foramen", "C6/C7", "C7", "left"),
            ),
            ("foramen C7/D1 droit|NF C8 R|C7-T1 rt|foramen C7/Th1 D", Anatomy("foramen", "C7/T1", "C8", "right")),
            ("LN L5 G|L5-S1 gauche|L5/S1 l|foramen L5 left", Anatomy("foramen", "L5/S1", "L5", "left")),
            ("L4-5 left|LN L4 G|foramen L4/L5 gauche", Anatomy("foramen", "L4/L5", "L4", "left")),
            (
                "HWK 6/7 li|Neuroforamen HWK6/7 links|foramen C6/C7 izda|agujero C6-C7 izquierdo|C6-7 lks|"
                "forame C6/C7 esquerdo|zenuwwortel C7 links|nerf C7 G|NWS C7 li|left C7 nerve|nervio C7 izq",
                Anatomy("foramen", "C6/C7", "C7", "left"),
            ),
            ("LWK 4/5 re|foramen L4/L5 dcha|L4-5 rts|wortel L4 rechts", Anatomy("foramen", "L4/L5", "L4", "right")),
            ("BWK 12/LWK 1 rechts|Th12/L1 re", Anatomy("foramen", "T12/L1", "T12", "right")),
            ("ruggenmerg C7", Anatomy("cord", "C7")),
            ("wervel C5|Wirbelkörper C5", Anatomy("vertebra", "C5")),
            ("Blutpool|bloedpool|carotis", Anatomy("blood-pool")),
            ("foramen sin contraste|nerf vague|nervus medianus|HWS", Anatomy("other")),
            ("S1 foramen right|foramen S1/S2 D", Anatomy("foramen", "S1/S2", "S1", "right")),
            ("moelle C7|cord C7|moelle épinière C7|Spinal_cord_C7", Anatomy("cord", "C7")),
            ("hemicord C7 left", Anatomy("cord", "C7", side="left")),
            ("vertèbre C5|vertebrae_C5", Anatomy("vertebra", "C5")),
            ("carotide gauche|left carotid", Anatomy("blood-pool", side="left")),
            ("moelle osseuse C4|disc C6/C7|foramen magnum|C6/C7|intervertebral disc", Anatomy("other")),
        ):
            for name in names.split("|"):
                with self.subTest(name):
                    self.assertEqual(identify(name, {}), wanted)

    def test_every_level_as_sites_write_it(self):
        """Both names of the vertebrae, the root, three languages and the short forms, for each level and side."""
        sides = {
            "left": ("left", "Left", "LEFT", "L", "lt", "gauche", "G", "links", "li", "linke"),
            "right": ("right", "Right", "RIGHT", "R", "rt", "droite", "droit", "D", "rechts", "re.", "rechtes"),
        }
        for level in LEVELS.values():
            upper, lower, root = level.upper, level.lower, level.root
            number = lower[1:] if upper[0] == lower[0] else lower
            pairs = {f"{upper}{sign}{lower}" for sign in ("/", "-", "")} | {f"{upper}{sign}{number}" for sign in "–/"}
            pairs |= {pair.replace("T", other) for pair in pairs for other in ("Th", "D")}
            if upper[0] in "CL" and number.isdecimal():
                pairs |= {f"{upper}{number}", f"{upper}.{number}"}
            for number_of_form, (side, place) in enumerate(product(sides, sorted(pairs))):
                wanted, words = Anatomy("foramen", level.name, root, side), sides[side]
                word = words[number_of_form % len(words)]  # every word, every form, not each with each
                names = [f"{place} {word}", f"{word} {place}", f"NF {place}_{word}", f"LN {root} {word}"]
                if word.lower() in ("left", "right", "gauche", "droite", "droit", "links", "rechts"):
                    names += [f"Foramen{upper}{lower}{word}", f"{upper}/{number}{word}"]
                for name in names:
                    self.assertEqual(identify(name, {}), wanted, name)
                    self.assertEqual(check_names([segment(name)]), (), name)
                forms = ("{0} root", "root {0}", "racine {0}", "DRG {0}", "Nervenwurzel {0}", "NR {0}")
                name = f"{forms[number_of_form % len(forms)].format(root)} {word}"
                self.assertEqual(identify(name, {}), wanted, name)
                self.assertEqual([one.code for one in check_names([segment(name)])], ["region-from-root"], name)

    def test_the_letter_of_a_side_behind_cord_and_muscle(self):
        for name, wanted in (
            ("hemicord C7 L", Anatomy("cord", "C7", side="left")),
            ("trapezius R", Anatomy("other", side="right")),
            ("roi D", Anatomy("other")),  # the fourth region
            ("medulla oblongata", Anatomy("other")),
            ("Rückenmark C5", Anatomy("cord", "C5")),
        ):
            self.assertEqual(identify(name, {}), wanted, name)

    def test_the_program_understands_its_own_names(self):
        for level in LEVELS.values():
            for side in ("left", "right"):
                anatomy = Anatomy("foramen", level.name, level.root, side)
                self.assertEqual(identify(name_of(anatomy), {}), anatomy)
        for vertebra in VERTEBRAE:
            self.assertEqual(identify(f"cord {vertebra}", {}), Anatomy("cord", vertebra))


def segment(name, number=0, **tags):
    return Segment(f"s{number}", name, np.ones((1, 1, 1), bool), None, {f"TSPOQuant.{k}": v for k, v in tags.items()})


class CheckNamesTest(unittest.TestCase):
    def refused(self, *segments):
        with self.assertRaises(InputRefused) as caught:
            check_names(segments)
        return caught.exception

    def test_two_of_one_place_are_refused_by_both_names(self):
        first = "foramen C6/C7 left (root C7)"
        for other in (
            "foramen C6/C7 left (old)",
            "foramen C6/C7 left copy",
            "Foramen c6/c7 LEFT",
            "C6-7 L",
            "foramen C6/C7 gauche",
            "case 2: foramen C6/C7 left",
        ):
            with self.subTest(other):
                refusal = self.refused(segment(first), segment("cord C7"), segment(other))
                self.assertEqual(refusal.code, "region-twice")
                self.assertIn(f"'{first}' and '{other}'", refusal.message)
        self.assertEqual(self.refused(segment("cord C7"), segment("moelle C7")).code, "region-twice")
        self.assertEqual(self.refused(segment("my muscle"), segment("my-muscle")).code, "region-twice")
        self.assertEqual(check_names([segment("cord C7"), segment("cord C7")]), ())  # refused as two of one name
        tagged = segment("drawn again", Structure="foramen", Level="C6/C7", Side="left")
        self.assertEqual(self.refused(segment(first), tagged).code, "region-twice")

    def test_what_is_not_quantified_may_stand_twice(self):
        names = ("left carotid", "carotid left 2", "vertebra C5", "vertebra C5 b", "foramen C6/C7 right", "cord C7")
        self.assertEqual(check_names([segment(name) for name in names]), ())

    def test_tags_that_disagree_with_the_name(self):
        tags = {"Structure": "foramen", "Level": "C6/C7", "Side": "left", "Root": "C7"}
        for name in ("foramen C6/C7 right", "foramen C5/C6 left", "cord C7", "foramen C6/C7 droit", "vertebra C6"):
            with self.subTest(name):
                refusal = self.refused(segment(name, **tags))
                self.assertEqual(refusal.code, "region-tags")
                self.assertIn(name, refusal.message)
        self.assertEqual(self.refused(segment("x", **(tags | {"Root": "C8"}))).code, "region-tags")
        for name in ("foramen C6/C7 left (root C7)", "C6-7 gauche", "affected one"):
            self.assertEqual(check_names([segment(name, **tags)]), ())

    def test_tags_are_completed_by_the_name(self):
        self.assertEqual(
            identify("foramen C6/C7 left", {"TSPOQuant.Structure": "foramen"}),
            Anatomy("foramen", "C6/C7", "C7", "left"),
        )

    def test_a_root_of_another_level(self):
        self.assertEqual(self.refused(segment("foramen C6/C7 left (root C8)")).code, "region-root")
        self.assertEqual(check_names([segment("foramen C7/T1 left (root C8)")]), ())

    def test_no_level_or_side_is_lost_in_silence(self):
        for name, code in (
            ("foramen C5/C7 left", "region-level"),
            ("foramen left", "region-level"),
            ("lesion C6/C7 left", "region-level"),
            ("C7 left", "region-level"),
            ("racine C7 gauche", "region-from-root"),
            ("traversing root L5 left", "region-level"),
            ("S1 right", "region-level"),
            ("L5L", "region-level"),
            ("C1 root left", "region-level"),
            ("stellate ganglion C7 left", "region-level"),
            ("roots C6 and C7 left", "region-level"),
            ("foramen C6/C7 left rechts", "region-side"),
            ("cord C6-C7", "region-level"),
            ("cord L4", "region-level"),
            ("foramen C6/C7", "region-side"),
            ("foramen C6/C7 left right", "region-side"),
        ):
            with self.subTest(name):
                (notice,) = check_names([segment(name)])
                self.assertEqual(notice.code, code)
                self.assertIn(name, notice.message)
        for name in ("trapezius left", "muscle", "cord", "blood pool C6", "foramen L4/L5 left", "cord L1"):
            self.assertEqual(check_names([segment(name)]), (), name)


class UseTest(unittest.TestCase):
    def test_a_lumbar_template_holds_roots_and_no_cord(self):
        grid = Grid((2, 2, 2), np.eye(4))
        names = [one.name for one in template("L4/L5", "left", grid).segments]
        self.assertEqual(
            names,
            [
                "foramen L4/L5 left (root L4)",
                "foramen L4/L5 right (root L4)",
                "foramen L1/L2 left (root L1)",
                "foramen L1/L2 right (root L1)",
                "cord L1",
                "blood pool",
            ],
        )
        self.assertEqual(check_names(template("C6/C7", "left", grid).segments), ())
        for rule, second in (("one-above", "L3/L4"), ("contralateral", None), ("foramen L2/L3 right", "L2/L3")):
            levels = {identify(one.name, {}).level for one in template("L4/L5", "left", grid, rule).segments}
            self.assertEqual(levels - {"", "L4/L5"}, {second} - {None}, rule)

    def test_two_clicks_make_a_lumbar_foramen_on_an_mr(self):
        """Where bone cannot be told, the canal stays where it was clicked."""
        grid = Grid((60, 60, 60), np.diag([1.0, 1.0, 1.0, 1.0]))
        mr = Volume(np.zeros(grid.shape, np.float32), grid, MR_SIGNAL)
        inner, outer = np.array([25.0, 30.0, 30.0]), np.array([33.0, 30.0, 29.0])
        drawn = foramen_between(inner, outer, "L4/L5", "left", mr)
        voxels = np.argwhere(drawn.mask)[:, ::-1]
        np.testing.assert_allclose(voxels.mean(axis=0), (inner + outer) / 2, atol=0.3)
        height, width = np.ptp(voxels[:, 2]) + 1, np.ptp(voxels[:, 1]) + 1
        self.assertAlmostEqual(height, 17.46, delta=1.6)
        self.assertAlmostEqual(width, 9.08, delta=1.1)
        self.assertEqual(identify(drawn.name, drawn.tags), Anatomy("foramen", "L4/L5", "L4", "left"))
        with self.assertRaises(InputRefused) as caught:
            foramen_between(inner, outer, "T4/T5", "left", mr)
        self.assertEqual(caught.exception.code, "foramen-level")

    def test_the_reference_is_a_setting_of_the_study(self):
        """Every rule picks the region that stands beside the affected one."""
        for rule, wanted in (
            (
                "three-above",
                {("unaffected", made.ABOVE), ("contralateral", made.RIGHT), ("unaffected", made.CORD_ABOVE)},
            ),
            ("contralateral", {("contralateral", made.RIGHT)}),
            (made.RIGHT, {("unaffected", made.RIGHT), ("contralateral", made.RIGHT)}),
        ):
            visits = [made.visit("baseline"), made.visit("followup", vt={k: 0.9 * v for k, v in made.VT.items()})]
            visits = [replace(one, settings={**one.settings, "unaffected": rule}) for one in visits]
            found = compare(visits, Clinical({}, Lesion("C6/C7", "left"))).contrasts
            self.assertEqual({(one.kind, one.against) for one in found}, wanted, rule)

    def test_unaffected_tissue_is_a_region_that_is_quantified(self):
        grid = Grid((2, 2, 2), np.eye(4))
        names = ("foramen C6/C7 right (root C7)", "my muscle")
        targets = [Region(name, identify(name, {}), np.ones(grid.shape, bool), grid) for name in names]
        for rule, right in (
            ("three-above", True),
            ("contralateral", True),
            ("C6-7 right", True),
            ("my  muscle", True),
            ("muscle", False),
            ("three above", False),
            ("foramen C3/C4 left", False),
        ):
            with self.subTest(rule):
                settings = StudySettings(unaffected=rule)
                if right:
                    check_unaffected(targets, settings)
                else:
                    with self.assertRaisesRegex(InputRefused, "^unaffected-region: .*'my muscle'.*three-above"):
                        check_unaffected(targets, settings)

    def test_what_lies_in_the_neck(self):
        for levels, wanted in (
            (("C2/C3", "C7/T1", "C7", "T1", ""), True),  # all that a study of the neck draws
            (("C6/C7", "T1/T2"), False),
            (("L4/L5", ""), False),
            ((), True),
        ):
            self.assertEqual(in_neck(levels), wanted, levels)

    def test_codes_say_which_part_of_the_spine(self):
        for level, site, kind in (
            ("C6/C7", "122494005", "Cervical neuroforamen"),
            ("T4/T5", "122495006", "Thoracic neuroforamen"),
            ("L4/L5", "122496007", "Lumbar neuroforamen"),
        ):
            anatomy = Anatomy("foramen", level, LEVELS[level].root, "left")
            self.assertEqual(place_codes(anatomy)[0].value, site)
            self.assertEqual(region_codes(anatomy, {})[1].meaning, kind)
            self.assertIn(kind, segment_of(anatomy, np.zeros((1, 1, 1), bool)).tags["TerminologyEntry"])

    def test_a_piece_of_cord_without_level_is_no_reference(self):
        """Nothing lies three levels above C3/C4: what has no level must not stand in for it."""
        levels = {made.CORD: "C4", made.CORD_ABOVE: ""}

        def visit(session, part):
            record = made.visit(session, vt={name: part * made.VT[name] for name in (made.ABOVE, *levels)})
            rows = tuple(replace(row, level=levels.get(row.region, row.level)) for row in record.rows)
            regions = tuple(replace(one, level=levels.get(one.name, one.level)) for one in record.regions)
            return replace(record, rows=rows, regions=regions)

        lesion = Lesion("C3/C4", "left")
        comparison = compare([visit("baseline", 1), visit("followup", 0.9)], Clinical({}, lesion))
        self.assertEqual([one.outcome for one in comparison.table1], ["VT_foramen_C3C4_left", "VT_cord_C4"])
        self.assertEqual(comparison.contrasts, ())


if __name__ == "__main__":
    unittest.main()
