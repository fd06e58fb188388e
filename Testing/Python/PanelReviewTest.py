"""Review in the panel: region after region of all visits, accepted by name, and two readers side by side."""

import unittest
from dataclasses import replace
from unittest import mock

import numpy as np
import slicer
from PanelTest import PanelTest
from support import mrmlstudy
from support.exacttissue import centers
from support.tiers import slow
from TSPOQuantLib import pipeline
from TSPOQuantLib.mrml import study_nodes, tables
from TSPOQuantLib.outcome.record import from_json

LEFT, RIGHT = mrmlstudy.TRUE_VT


def record(session="baseline"):
    return from_json(study_nodes.text_of(session, study_nodes.RECORD))


@slow
class ReviewTest(PanelTest):
    def setUp(self):
        super().setUp()
        budget = mock.patch("TSPOQuantLib.pipeline.quantification.sensitivities", return_value=())
        budget.start()  # takes the longest, and is not shown here
        self.addCleanup(budget.stop)

    def two_visits(self):
        studies = []
        for session, part in (("baseline", 1.0), ("followup", 0.5)):
            self.choose(self.ui.visitComboBox, session)
            studies.append(self.fill_in(part))
            self.choose_quick()
            self.ui.computeButton.click()
        self.choose(self.ui.visitComboBox, "baseline")
        return studies

    def test_regions_of_all_visits_come_one_after_the_other(self):
        self.assertFalse(self.ui.nextButton.enabled)
        self.two_visits()
        seen = []
        for _ in range(5):
            place = self.ui.reviewLabel.text.splitlines()[0]
            chart = study_nodes.find(self.panel.session, "chart curves", "vtkMRMLPlotChartNode")
            self.assertIn(chart.GetTitle().split(",")[0], place)
            seen.append(place)
            self.ui.nextButton.click()
        self.assertEqual(len(set(seen[:4])), 4)
        self.assertEqual(seen[4], seen[0])
        self.assertEqual([place.split(",")[0] for place in seen[:4]], ["baseline"] * 2 + ["followup"] * 2)
        self.ui.previousButton.click()
        self.assertEqual(self.ui.reviewLabel.text.splitlines()[0], seen[0])
        self.assertIn("1TCM: 4.0", self.ui.reviewLabel.text)
        self.assertIn("Logan: ", self.ui.reviewLabel.text)

    def test_acceptance_is_kept_with_the_result_as_long_as_that_stays(self):
        self.two_visits()
        self.assertFalse(self.ui.acceptButton.enabled)
        self.assertIn("initials", self.ui.acceptButton.toolTip)
        self.ui.reviewerLineEdit.text = "A. B."
        self.ui.acceptButton.click()
        self.assertIn("Accepted by: A. B.", self.ui.reviewLabel.text)
        self.assertEqual(record().region(LEFT).accepted_by, "A. B.")
        self.assertEqual(self.states()[4], "done")
        self.ui.nextButton.click()
        self.assertIn("Not accepted yet", self.ui.reviewLabel.text)
        self.ui.acceptButton.click()
        self.ui.acceptButton.click()
        self.assertEqual(record().region(RIGHT).accepted_by, "")
        self.ui.computeButton.click()
        self.assertEqual(record().region(LEFT).accepted_by, "A. B.")
        self.choose(self.ui.bloodVolumeComboBox, "Fixed at")
        self.assertFalse(self.ui.acceptButton.enabled)
        self.ui.computeButton.click()
        self.assertEqual(record().region(LEFT).accepted_by, "")

    def test_two_readers_are_compared(self):
        study = self.fill_in()
        self.choose_quick()
        self.assertFalse(self.ui.readersButton.enabled)
        other = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "other reader")
        on = mrmlstudy.grid((12, 20, 24), 2.0)
        for name, x in ((LEFT, 12.0), (RIGHT, -10.0)):
            mrmlstudy.add_segment(other, name, np.linalg.norm(centers(on) - (x, 0, 0), axis=-1) < 5, on)
        self.ui.otherReaderSelector.setCurrentNode(other)
        self.assertTrue(self.ui.readersButton.enabled, self.ui.readersButton.toolTip)
        self.ui.readersButton.click()
        table = self.ui.readersTableView.mrmlTableNode()
        self.assertIsNotNone(table, self.ui.statusLabel.text)
        found = {
            tables.cell(table, row, "region"): [float(tables.cell(table, row, key)) for key in ("dice", "distance_mm")]
            for row in range(table.GetNumberOfRows())
        }
        self.assertEqual(set(found), {LEFT, RIGHT})
        self.assertEqual(found[LEFT], [1.0, 0.0])
        self.assertEqual(found[RIGHT][1], 2.0)
        self.assertTrue(0.5 < found[RIGHT][0] < 0.9)
        self.assertEqual(float(tables.cell(table, 0, "vt_percent")), 0.0)
        percents = {tables.cell(table, row, "region"): tables.cell(table, row, "vt_percent") for row in range(2)}
        self.assertIs(self.logic.visit("baseline").segmentation, study.segmentation)
        self.assertNotIn("blood pool", self.ui.statusLabel.text)
        # Where the input comes from a blood pool, which a second reader need not draw, it is the visit's.
        quantify, settings = pipeline.quantify, self.logic.settingsOf("baseline")

        def given(data, chosen, *further):
            return quantify(data, replace(chosen, input_source="given"), *further)

        image_derived = replace(settings, input_source="image-derived")
        with (
            mock.patch.object(self.logic.steps, "settingsOf", lambda session: image_derived),
            mock.patch.object(pipeline, "quantify", given, create=True),
        ):
            said = self.logic.compareReaders("baseline")
        self.assertIn("both have this visit's input function", said)
        again = {tables.cell(table, row, "region"): tables.cell(table, row, "vt_percent") for row in range(2)}
        self.assertEqual(again, percents)
        self.ui.otherReaderSelector.setCurrentNode(study.segmentation)
        self.assertFalse(self.ui.readersButton.enabled)


if __name__ == "__main__":
    unittest.main()
