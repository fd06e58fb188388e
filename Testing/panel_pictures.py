"""Pictures of every section of the panel without Slicer, in both languages, light and dark, narrow and wide.

    python Testing/panel_pictures.py FOLDER

writes one sheet for each language, style and width: six sections with a small simulated study of two visits. Qt is
PySide6 here, and Slicer's own widgets are the stand-ins of Testing/host: it shows texts, widths and order, not how
Slicer draws them.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

TESTING = Path(__file__).resolve().parent
SHEETS = (("en", "light", 400), ("en", "dark", 600), ("fr", "light", 600), ("fr", "dark", 400))
LOCALES = {"en": "en_US", "fr": "fr_FR"}
GAP = 12
DARK = {"Window": "#35383b", "Base": "#232629", "Button": "#45484b", "AlternateBase": "#2b2e31", "Light": "#4b4e51"}


def palette(style):
    import qt

    chosen = qt.QPalette()
    if style == "dark":
        for role, color in DARK.items():
            chosen.setColor(getattr(qt.QPalette, role), qt.QColor(color))
        for role in ("WindowText", "Text", "ButtonText", "ToolTipText", "BrightText"):
            chosen.setColor(qt.QPalette.Active, getattr(qt.QPalette, role), qt.QColor("#eeeeee"))
            chosen.setColor(qt.QPalette.Inactive, getattr(qt.QPalette, role), qt.QColor("#eeeeee"))
            chosen.setColor(qt.QPalette.Disabled, getattr(qt.QPalette, role), qt.QColor("#888888"))
        chosen.setColor(qt.QPalette.PlaceholderText, qt.QColor("#999999"))
    return chosen


def fill_in(logic, folder):
    """Two visits with results, the second with half the V_T of the first."""
    from support import mrmlstudy

    import TSPOQuant

    study = logic.getParameterNode()
    study.level, study.side = TSPOQuant.Level("C6/C7"), TSPOQuant.Side.LEFT
    study.reportFolder = "report"
    for session, part in (("baseline", 1.0), ("followup", 0.5)):
        made, visit = mrmlstudy.make(folder, part), logic.visit(session)
        visit.petSequence, visit.ctVolume, visit.segmentation = made.pet, made.ct, made.segmentation
        visit.bloodPoolSegmentID = logic.findBloodPool(made.segmentation)
        visit.bloodFile, visit.inputSource = made.blood, TSPOQuant.InputSource.GIVEN
        visit.motion, visit.bloodVolume = TSPOQuant.Motion.NONE, TSPOQuant.BloodVolume.NEGLECTED
        visit.twoTissue = True
        logic.quantify(session)
    logic.compare()
    logic.visit("baseline").ma1 = True  # one section out of date


def opened(language, style, width):
    """The panel in a frame of that width, in a process that has no language yet."""
    sys.path[:0] = [str(TESTING), str(TESTING / "Python")]
    from host import application, install

    application.Application.applicationLocaleName = LOCALES[language]
    install()
    import qt
    import slicer
    import slicer.util

    app = qt.QApplication.instance()
    app.setStyle("Fusion")
    app.setPalette(palette(style))
    slicer.util.selectModule("TSPOQuant")
    widget = slicer.util.getModuleWidget("TSPOQuant")
    widget.parent.setFixedWidth(width)
    widget.parent.show()
    return widget.panel, widget.parent


def grabbed(panel, frame, section):
    """A picture of the panel with one section unfolded, all of it."""
    import slicer

    for other in panel.sections.values():
        other.collapsed = other is not section
    panel.updateGUI()  # the stand-in unfolds also what the panel hides
    for _ in range(5):
        slicer.app.processEvents()
        # In Slicer the sections are scrolled; here all of each is to be seen.
        sections = panel.ui.sectionsWidget
        tall = max(sections.sizeHint().height(), sections.layout().totalHeightForWidth(sections.width))
        panel.ui.sectionsScrollArea.setMinimumHeight(tall + 4)
        layout = frame.layout()
        frame.setFixedHeight(max(layout.totalHeightForWidth(frame.width), layout.totalMinimumSize().height()))
    return frame.grab()


def save(image, path):
    """A picture in the 256 colors that it has most of: a tenth of the bytes."""
    import qt

    page = image.convertToFormat(qt.QImage.Format_RGB32)
    colors, counts = np.unique(np.frombuffer(page.constBits(), dtype=np.uint32), return_counts=True)
    most = [int(color) for color in colors[np.argsort(-counts)][:256]]
    plain = qt.Qt.ThresholdDither | qt.Qt.AvoidDither
    page.convertToFormat(qt.QImage.Format_Indexed8, most, plain).save(str(path))


def sheet(language, style, width, path):
    """One sheet; in a process of its own, because a language is chosen when a module is loaded."""
    panel, frame = opened(language, style, width)
    import qt

    with tempfile.TemporaryDirectory() as folder:
        fill_in(panel.logic, folder)
        panel.updateGUI()
        pictures = [grabbed(panel, frame, section) for section in panel.sections.values()]
    height = max(picture.height() for picture in pictures)
    columns = 3
    page = qt.QImage(columns * (width + GAP) + GAP, 2 * (height + GAP) + GAP, qt.QImage.Format_RGB32)
    page.fill(qt.QColor("#808080"))
    painter = qt.QPainter(page)
    for number, picture in enumerate(pictures):
        row, column = divmod(number, columns)
        painter.drawPixmap(GAP + column * (width + GAP), GAP + row * (height + GAP), picture)
    painter.end()
    save(page, path)


def main(folder):
    for language, style, width in SHEETS:
        path = Path(folder) / f"panel-{language}-{style}-{width}.png"
        command = [sys.executable, __file__, language, style, str(width), str(path)]
        subprocess.run(command, check=True)
        print(path)


if __name__ == "__main__":
    if len(sys.argv) == 5:
        sheet(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4])
    else:
        main(sys.argv[1])
