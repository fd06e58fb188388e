"""Runs in the peers' own environment, which has neither this package nor its dependencies: ``peer_script.py FOLDER``.

Takes each program's fastest way to the same result, after a first run that compiles what it compiles. Only the
program's own function is timed, not the reading of files.
"""

import json
import sys
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

COMPILING_VOXELS = 4


def best_cpu_s(work: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    """The least CPU time of ``repeats`` runs in seconds, over all threads, and what the last run returned."""
    taken = []
    result = None
    for _ in range(repeats):
        begin = time.process_time()
        result = work()
        taken.append(time.process_time() - begin)
    return min(taken), result


def petpal_logan(data: dict[str, Any], order: dict[str, Any]) -> tuple[float, Any]:
    """V_T of all voxels by petpal's function for Logan's parametric images (numba), input read at mid-frame."""
    from petpal.kinetic_modeling.parametric_images import (  # type: ignore[import-not-found, unused-ignore]
        generate_parametric_images_with_graphical_method as images,
    )

    middle = (data["starts_s"] + data["durations_s"] / 2) / 60
    plasma = np.interp(middle, data["input_min"], data["plasma"])
    voxels = data["voxels"]
    images(middle, plasma, voxels[:1, :1, :COMPILING_VOXELS], order["tstar_min"], "logan")
    return best_cpu_s(lambda: images(middle, plasma, voxels, order["tstar_min"], "logan")[0], order["repeats"])


def petpal_fits(data: dict[str, Any], order: dict[str, Any], model: str, averaged: bool) -> float:
    """All curves with V_B fitted, by petpal's fitter of resampled curves, or of frame averages."""
    from petpal.kinetic_modeling import tac_fitting as fitting  # type: ignore[import-not-found, unused-ignore]
    from petpal.kinetic_modeling import tcms_as_convolutions as models
    from petpal.utils.scan_timing import ScanTimingInfo  # type: ignore[import-not-found, unused-ignore]
    from petpal.utils.time_activity_curve import TimeActivityCurve  # type: ignore[import-not-found, unused-ignore]

    starts, durations = data["starts_s"], data["durations_s"]
    middle = (starts + durations / 2) / 60
    plasma = np.array([data["input_min"], data["plasma"]])
    scan = ScanTimingInfo(
        duration=durations,
        start=starts,
        end=starts + durations,
        center=starts + durations / 2,
        decay=np.ones_like(starts),
    )
    of_averages = {"1TCM": models.model_serial_1tcm_frame_avgd, "2TCM": models.model_serial_2tcm_frame_avgd}[model]
    of_samples = {"1TCM": models.gen_tac_1tcm_cpet_from_tac, "2TCM": models.gen_tac_2tcm_cpet_from_tac}[model]

    def one(curve: Any) -> None:
        if averaged:
            tissue = TimeActivityCurve(middle, curve)
            fitting.FrameAveragedTACFitter(TimeActivityCurve(*plasma), tissue, scan, of_averages).run_fit()
        else:
            fitting.TACFitter(plasma, np.array([middle, curve]), tcm_func=of_samples).run_fit()

    def every() -> None:
        for curve in data["curves"]:
            one(curve)

    one(data["curves"][0])
    return best_cpu_s(every, order["repeats"])[0]


def niftypad_logan(data: dict[str, Any], order: dict[str, Any]) -> tuple[float, Any]:
    """NiftyPAD's Logan plot of a reference region, which is the plasma's plot when it is given the plasma instead."""
    from niftypad.models import logan_ref  # type: ignore[import-not-found, unused-ignore]

    starts, ends = data["starts_s"], data["starts_s"] + data["durations_s"]
    frames = np.array([starts, ends])
    plasma = np.interp(np.arange(ends[-1] + 1) / 60, data["input_min"], data["plasma"])
    voxels = data["voxels"].reshape(-1, len(starts))[: order["loop_voxels"]]

    def every() -> Any:
        start_s = order["tstar_min"] * 60
        return np.array([logan_ref(voxel, frames, plasma, None, start_s, None, False)["bp"] + 1 for voxel in voxels])

    return best_cpu_s(every, 1)


def vpet_abc_means(data: dict[str, Any], order: dict[str, Any]) -> tuple[float, Any]:
    """V_T of voxels by vPET-ABC's rejection of simulated two-tissue curves (JAX), as its own example calls it.

    Its parameters are posterior means; V_T is nan where it prefers the model without release.
    """
    import jax  # type: ignore[import-not-found, unused-ignore]
    import pandas  # type: ignore[import-untyped, unused-ignore]
    import vpetabc  # type: ignore[import-not-found, unused-ignore]

    middle, length = (data["starts_s"] + data["durations_s"] / 2) / 60, data["durations_s"] / 60
    plasma = np.interp(middle, data["input_min"], data["plasma"])
    voxels = data["voxels"].reshape(-1, len(middle))[: order["simulated_voxels"]]
    fine, averages, curves, _ = vpetabc.preprocess_table(pandas.DataFrame([middle, length, plasma, *voxels]))
    bounds = jax.numpy.zeros(5), jax.numpy.array([0.5, 0.5, 0.5, 0.5, 0.2])
    engine = vpetabc.ABCRejection(vpetabc.TwoTissueModel(), vpetabc.TwoTissuePrior, *bounds, None, 200_000, 0.005)

    def every() -> Any:
        found = engine.run(jax.random.PRNGKey(0), curves, fine, averages, batch_size=5_000, progress=False)
        k1, k2, k3, k4 = np.asarray(vpetabc.get_conditional_posterior_mean(found)[0]).T[:4]
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(k4 > 0, k1 / k2 * (1 + k3 / k4), np.nan)

    return best_cpu_s(every, 1)


def main(folder: Path) -> None:
    order = json.loads((folder / "order.json").read_text())
    names = ("voxels", "curves", "starts_s", "durations_s", "input_min", "plasma")
    data = {name: np.load(folder / f"{name}.npy") for name in names}
    results: list[dict[str, Any]] = []

    def add(task: str, name: str, cpu_s: float, items: int, vt: Any = None) -> None:
        file = "" if vt is None else f"vt-{len(results)}.npy"
        if file:
            np.save(folder / file, vt)
        results.append({"task": task, "name": name, "cpu_s": cpu_s, "items": items, "vt": file})

    def petpal() -> None:
        cpu_s, vt = petpal_logan(data, order)
        add("Logan map", "petpal", cpu_s, vt.size, vt)
        for model in ("1TCM", "2TCM"):
            sampled = petpal_fits(data, order, model, averaged=False)
            add(f"{model} map", "petpal, curve by curve", sampled, len(data["curves"]))
            add(f"{model} fit", "petpal, samples", sampled, len(data["curves"]))
            add(f"{model} fit", "petpal, frames", petpal_fits(data, order, model, averaged=True), len(data["curves"]))

    def niftypad() -> None:
        cpu_s, vt = niftypad_logan(data, order)
        add("Logan map", "NiftyPAD", cpu_s, vt.size, vt)

    def vpet_abc() -> None:
        cpu_s, vt = vpet_abc_means(data, order)
        add("2TCM map", "vPET-ABC", cpu_s, vt.size, vt)

    absent = {}
    for name, run in (("petpal", petpal), ("niftypad", niftypad), ("vpet-abc", vpet_abc)):
        try:
            run()
        except ImportError as error:
            absent[name] = str(error)
    if not results:
        sys.exit("; ".join(absent.values()))
    used = ("petpal", "niftypad", "vpet-abc", "jax", "numba", "numpy", "scipy")
    installed = {one.metadata["Name"]: one.version for one in metadata.distributions()}
    versions = {name: installed[name] for name in used if name in installed and name not in absent}
    (folder / "results.json").write_text(json.dumps({"results": results, "versions": versions, "absent": absent}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
