"""Folders of a cohort with numbers that a test says: parameters of every region of every visit, as fit writes them."""

from pathlib import Path

import numpy as np


def write_visit(cohort: Path, participant: str, session: str, values, model="1TCM", flags=None, criteria=None):
    """One model's table. values: V_T by region. flags: of regions that have some. criteria: (AIC, AICc, BIC)."""
    folder = cohort / f"sub-{participant}" / f"ses-{session}"
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["region\tVT\tAIC\tAICc\tBIC\tflags"]
    told = "\t".join(f"{one:.6g}" for one in criteria or (10.0, 11.0, 12.0))
    lines += [f"{name}\t{value:.9g}\t{told}\t{(flags or {}).get(name, 'n/a')}" for name, value in values.items()]
    (folder / f"model-{model}_kinpar.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def log_normal(rng, people, visits, between, within, mean=5.0):
    """(people, visits): values with log-normal spread between people, and within a person from visit to visit."""
    logs = between * rng.standard_normal((people, 1)) + within * rng.standard_normal((people, visits))
    return mean * np.exp(logs)
