"""The digital neck from Slicer's Sample Data module, and the README's example for Slicer's console, run on it."""

import contextlib
import io
import os
import re
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import SampleData
import slicer
import slicer.util
from support.tiers import slow
from support.without import without_budget, without_pdf
from TSPOQuantLib import pipeline
from TSPOQuantLib.messages import Cancelled
from TSPOQuantLib.mrml import sample_data
from TSPOQuantLib.mrml.panel_state import State
from TSPOQuantLib.phantom import PhantomSettings

import TSPOQuant

README = Path(__file__).resolve().parents[2] / "README.md"
QUICK = PhantomSettings(fast=True, fwhm_mm=0, noise_percent=0, motion_mm=0)
folder = tempfile.TemporaryDirectory()
unittest.addModuleCleanup(folder.cleanup)


class OfferTest(unittest.TestCase):
    def test_it_is_offered_with_a_picture(self):
        source = SampleData.SampleDataLogic.sampleDataSourcesByCategory("TSPOQuant")[0]
        self.assertEqual(source.sampleName, "TSPOQuant: digital neck (baseline, follow-up)")
        self.assertTrue(Path(source.thumbnailFileName).is_file())

    def test_people_see_it_in_their_language_under_the_name_that_scripts_ask_for(self):
        name, shown = "TSPOQuant: digital neck (baseline, follow-up)", "TSPOQuant : cou numérique"
        offered = SampleData.SampleDataLogic.sampleDataSourcesByCategory("TSPOQuant")
        before = list(offered)
        self.addCleanup(offered.__setitem__, slice(None), before)
        with mock.patch.object(TSPOQuant, "_", lambda text: shown if text == name else text):
            TSPOQuant.registerSampleData()
        self.assertEqual({(one.sampleName, one.sampleDescription) for one in offered}, {(name, shown)})


@slow
class NeckTest(unittest.TestCase):
    def setUp(self):
        slicer.mrmlScene.Clear()
        cache = slicer.mrmlScene.GetCacheManager()
        self.addCleanup(cache.SetRemoteCacheDirectory, cache.GetRemoteCacheDirectory())
        cache.SetRemoteCacheDirectory(folder.name)
        self.logic = TSPOQuant.TSPOQuantLogic()

    def test_it_fills_in_a_study_that_can_be_computed(self):
        def stop(fraction, text):
            if fraction > 0.65:
                raise Cancelled

        nodes = slicer.mrmlScene.GetNumberOfNodes()
        with self.assertRaises(Cancelled):
            self.logic.loadDigitalNeck(stop, QUICK)
        self.assertEqual(slicer.mrmlScene.GetNumberOfNodes(), nodes)

        written = next(Path(folder.name).rglob("truth.json")).stat().st_mtime
        self.assertEqual(self.logic.loadDigitalNeck(settings=QUICK), ["baseline", "followup"])
        self.assertEqual(next(Path(folder.name).rglob("truth.json")).stat().st_mtime, written)  # not made again
        for session in self.logic.sessions():
            self.assertIs(self.logic.state("study", session), State.DONE)
            for section in ("fusion", "regions", "input", "kinetics"):
                missing = self.logic.whatIsMissing(section, session)
                self.assertIs(self.logic.state(section, session), State.READY, missing)
            self.assertTrue(self.logic.goToAffected(session))
        kinds = "vtkMRMLSequenceNode", "vtkMRMLScalarVolumeNode", "vtkMRMLSegmentationNode"
        for node in (node for kind in kinds for node in slicer.util.getNodesByClass(kind)):
            self.assertIn("simulated", node.GetName())
        self.assertIn("simulated", self.logic.aboutPet(self.logic.visit("baseline")))

    def test_the_example_of_the_readme_runs(self):
        text = README.read_text(encoding="utf-8")
        example = re.search(r"Python console:\n\n```python\n(.*?)```", text, re.DOTALL)[1]
        self.assertLessEqual(sum(bool(line) for line in example.splitlines()), 10)
        said = io.StringIO()
        here = os.getcwd()  # noqa: PTH109
        self.addCleanup(os.chdir, here)
        os.chdir(folder.name)
        # A neck that lies still under an ideal scanner: nothing to align, and its V_T are the true ones.
        with (
            mock.patch.object(sample_data, "PhantomSettings", lambda fast: QUICK),
            mock.patch.object(pipeline, "align_visit", lambda *given: (None, None)),
            without_budget(),
            without_pdf(),
            contextlib.redirect_stdout(said),
        ):
            exec(compile(example, "README.md", "exec"), {})
        lines = said.getvalue().splitlines()
        found = [float(re.search(r"Vr \(V_T\) (\S+)", line)[1]) for line in lines[:2]]
        self.assertAlmostEqual(found[0], 12.96, delta=0.2)
        self.assertAlmostEqual(found[1], 6.21, delta=0.1)
        self.assertTrue(Path(lines[-1]).is_file(), lines)


if __name__ == "__main__":
    unittest.main()
