"""The panel's way through a lumbar PET/MR study, from the affected level to the report; images of the wrong kind."""

import json
import re
import unittest
from pathlib import Path
from unittest import mock

import numpy as np
from PanelTest import PanelTest
from support import mrmlstudy
from support.tiers import slow
from support.without import without_budget, without_pdf
from TSPOQuantLib.acquisition.image import Volume
from TSPOQuantLib.messages import InputRefused
from TSPOQuantLib.mrml import tables, volumes
from TSPOQuantLib.mrml.choices import Language

LEFT, RIGHT = NAMES = "foramen L4/L5 left (root L4)", "L4-5 R"
CLINICAL = """[lesion]
level = "L4/L5"
side = "left"
[[visit]]
session = "baseline"
odi = 42
[[visit]]
session = "followup"
odi = 22
"""


class LumbarPanelTest(PanelTest):
    def fill_in(self, part=1.0):
        study = mrmlstudy.make(self.folder, part, NAMES, mr=True)
        self.ui.petSequenceSelector.setCurrentNode(study.pet)
        self.ui.ctVolumeSelector.setCurrentNode(study.ct)
        self.ui.segmentationSelector.setCurrentNode(study.segmentation)
        self.ui.bloodFilePathLineEdit.currentPath = study.blood
        return study

    def choose_level(self):
        self.choose(self.ui.levelComboBox, "L4/L5 (root L4)")
        self.choose(self.ui.sideComboBox, "Left")


class WrongImageTest(LumbarPanelTest):
    """What the image is called and what it is: only an image that says nothing is what the user says."""

    def told(self, stated=""):
        """What pressing Compute says, an image of that kind being stated."""
        self.logic.visit("baseline").furtherSettings = json.dumps({"anatomical_modality": stated} if stated else {})
        with mock.patch.object(self.logic.steps, "_quantify", side_effect=InputRefused("stop", "it computes")):
            self.ui.computeButton.click()
        return self.ui.statusLabel.text

    def test_every_pairing(self):
        study = self.fill_in()
        self.choose_quick()
        on = mrmlstudy.grid((12, 20, 24), 2.0)
        bare = mrmlstudy.mr_node(on, "bare")
        bare.SetVoxelValueQuantity(None)
        ct = volumes.node_from_volume(Volume(np.zeros(on.shape, np.float32), on, "HU"), "hounsfield")
        for node, stated, words in (
            (study.ct, "CT", "was given as CT, but is MR"),
            (ct, "MR", "was given as MR, but is CT"),
            (bare, "", "othing says whether bare is a CT or an MR; type CT or MR beside anatomical_modality"),
            (study.ct, "", "t computes"),
            (study.ct, "MR", "t computes"),
            (ct, "", "t computes"),
            (ct, "CT", "t computes"),
            (bare, "MR", "t computes"),
            (bare, "CT", "t computes"),
        ):
            with self.subTest(node=node.GetName(), stated=stated):
                self.ui.ctVolumeSelector.setCurrentNode(node)
                self.assertIn(words, self.told(stated))


@slow
class WayTest(LumbarPanelTest):
    def test_from_the_level_to_the_report(self):
        self.choose_level()
        self.enterContext(without_budget())
        self.fill_in()
        self.choose_quick()
        self.ui.computeButton.click()
        self.choose(self.ui.visitComboBox, "followup")
        self.fill_in(0.5)
        self.choose_quick()
        self.ui.computeButton.click()
        table = self.ui.resultTableView.mrmlTableNode()
        rows = range(table.GetNumberOfRows())
        found = {tables.cell(table, n, "region"): float(tables.cell(table, n, "VT")) for n in rows}
        self.assertAlmostEqual(found[LEFT], 2.0, delta=0.01)
        for name in (LEFT, RIGHT):
            row = next(n for n in rows if tables.cell(table, n, "region") == name)
            self.assertEqual([tables.cell(table, row, key) for key in ("level", "root")], ["L4/L5", "L4"], name)
        (clinical := Path(self.folder) / "clinical.toml").write_text(CLINICAL)
        self.ui.clinicalPathLineEdit.currentPath = str(clinical)
        self.ui.compareButton.click()
        changes = self.ui.changeTableView.mrmlTableNode()
        self.assertIsNotNone(changes, self.ui.statusLabel.text)
        self.assertAlmostEqual(float(tables.cell(changes, 0, "percent")), -50, delta=0.2)
        for language, wrong, named in ((Language.EN, r"\bCT\b", "MR"), (Language.FR, r"\bTDM\b", "IRM")):
            self.logic.getParameterNode().language = language
            with without_pdf():
                page = Path(self.logic.writeReport(str(Path(self.folder) / named))).read_text(encoding="utf-8")
            self.assertIn("L4/L5", page)
            lines = re.sub(r"<[^>]*>", "\n", page).splitlines()
            self.assertTrue(any(re.search(rf"\b{named}\b", line) for line in lines))
            self.assertFalse([line for line in lines if re.search(wrong, line) and named not in line])
        self.assertEqual(self.logic.steps.record("followup").acquisition.anatomy, "MR")


if __name__ == "__main__":
    unittest.main()
