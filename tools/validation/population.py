"""Section 13: an input from other people, every person of two real cohorts left out in turn."""

import statistics
from pathlib import Path

import numpy as np
from TSPOQuantLib.cohort import find_visits
from TSPOQuantLib.pipeline.population import template_of_dataset
from TSPOQuantLib.reporting.template_files import by_way

from .document import Goal, Section, paragraphs, table

TITLE = "An input from other people: real scans, every person left out"
FOLDERS = ("pbr28", "pet_bids_ds004869")
SAMPLES_MIN = (30.0, 60.0)
MODELS = ("1TCM", "Logan")
HELD = 90.0


def section(data: Path | None, quick: bool) -> Section:
    if data is None or not all((data / name).is_dir() for name in FOLDERS):
        return Section(TITLE, "Skipped: the data are not on this machine.")
    rows, scans, held, fitted = [], 0, 0, 0
    for name in FOLDERS[:1] if quick else FOLDERS:
        visits = [(visit.participant, visit.session) for visit in find_visits(data / name)]
        models, samples = (MODELS[1:], SAMPLES_MIN[:1]) if quick else (MODELS, SAMPLES_MIN)
        made = template_of_dataset(data / name, visits, None, samples, models)
        population = made.population
        scans += len(population.scans)
        for (way, model), found in by_way(population.left_out).items():
            curves, inside = sum(row.curves for row in found), sum(row.inside for row in found)
            held, fitted = held + inside, fitted + curves
            rows.append(
                [
                    f"{population.tracer}, {population.people} people, {len(population.scans)} scans",
                    way,
                    model,
                    f"{100 * statistics.median(abs(row.area - 1) for row in found):.0f}",
                    f"{100 * statistics.median(abs(row.median) for row in found):.0f}",
                    f"{100 * max(abs(row.worst) for row in found):.0f}",
                    f"{inside} of {curves}",
                    f"{float(np.exp(statistics.median(row.width for row in found))):.3g}",
                ]
            )
    share = 100 * held / fitted
    header = ["cohort", "scaled by", "model", "area, %", "V_T, %", "worst, %", "held", "× or ÷"]
    return Section(
        TITLE,
        paragraphs(
            f"""**Real**: {scans} scans with arterial blood ([11C]PBR28, Matheson 2017, 10.1186/s13550-017-0304-1;
            [11C]MC1, OpenNeuro ds004869, of which one scan is refused for its unit). For each scan, `input template`
            makes a template of all *other people*, scales it by parent plasma at these minutes after the tracer's
            arrival, and places it where one tissue compartment follows the mean curve best. Against the scan's own
            input: area under parent plasma and V_T, median of the scans' absolute differences (V_T: of each scan's
            median region), and the worst region; how many regions' 95 % intervals hold V_T with the own input, and the
            interval's half width as a factor. Injected activity over weight could not be tried: one data set has no
            weights, and of four scans of the other the files contradict themselves on the activity.""",
            table(header, rows),
            """With two or three people left in the template, Student's t makes the intervals so wide that they hold
            nearly always and say little: so few people carry no such input, and the program says so. Regions of one
            scan share their error and are no independent trials.""",
        ),
        (
            Goal(
                "95 % intervals by a template of other people hold V_T",
                f"{share:.0f} %",
                f"at least {HELD:g} %",
                share >= HELD,
            ),
        ),
    )
