"""Whatever stands in a blood table, a curve table or a sidecar: it is read rightly or refused by name."""

import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from TSPOQuantLib.acquisition.bids import read_pet_json
from TSPOQuantLib.acquisition.blood import BloodSamples, SampledCurve, reconcile
from TSPOQuantLib.acquisition.blood_files import read_blood
from TSPOQuantLib.acquisition.frames import FrameTiming
from TSPOQuantLib.acquisition.tacs import read_tacs
from TSPOQuantLib.messages import InputRefused

COLUMNS = ("whole_blood_radioactivity", "plasma_radioactivity", "AIF")
OVER_WHOLE_BLOOD = {"whole_blood_radioactivity": (1, 1), "plasma_radioactivity": (0.5, 2), "AIF": (0.2, 2)}
"""Between what ratios to whole blood a column lies: far from it, columns are refused for their units."""
SECONDS_PER = {"s": 1, "min": 60, "minutes": 60, "sec": 1, "h": 3600}
KBQ_PER = {"kBq/mL": 1, "Bq/mL": 1e-3, "kBq/cc": 1, "MBq/ml": 1e3, "nCi/mL": 0.037, "uCi/cc": 37, "Bq*mL-1": 1e-3}
quick = settings(max_examples=60, deadline=None)


@st.composite
def curves(draw):
    """Times in seconds, and activities in kBq/mL by column, with NaN where nothing was measured; of one blood."""
    steps = draw(st.lists(st.floats(1, 600), min_size=2, max_size=12))
    times = np.cumsum(steps)
    times *= draw(st.floats(300, 7000)) / times[-1]
    names = draw(st.lists(st.sampled_from(COLUMNS), min_size=1, unique=True))
    columns = {}
    # A sample that one column lacks is judged by the line between its neighbors: but for one of 0, which no column
    # lacks, nor those beside it, blood is no more uneven than that line bears.
    blood = draw(st.floats(1, 200)) * np.array(
        draw(st.lists(st.floats(1, 1.5), min_size=len(times), max_size=len(times)))
    )
    empty = draw(st.integers(0, len(times)))  # len(times): none
    blood[empty : empty + 1] = 0
    for name in names:
        ratio = st.floats(*OVER_WHOLE_BLOOD[name])
        values = blood * draw(st.lists(ratio, min_size=len(times), max_size=len(times)))
        missing = np.array(draw(st.lists(st.booleans(), min_size=len(times), max_size=len(times))))
        missing[[int(np.argmax(values)), -1]] = False
        missing[max(empty - 1, 0) : empty + 2] = False
        columns[name] = np.where(missing, np.nan, values)
    return times, columns


def text(columns, separator, end, headers):
    cells = [
        ["n/a" if np.isnan(value) else repr(float(value)) for value in row]
        for row in np.transpose([*columns.values()])
    ]
    rows = [separator.join(row) for row in ([headers.get(name, name) for name in columns], *cells)]
    return end.join(rows) + end


@quick
@given(
    curves(),
    st.sampled_from(sorted(SECONDS_PER)),
    st.sampled_from(sorted(KBQ_PER)),
    st.sampled_from("\t,;"),
    st.sampled_from(("\n", "\r\n")),
    st.sampled_from(("", "\ufeff")),
    st.booleans(),
    st.randoms(),
)
def test_any_units_and_layout_give_the_same_curves(measured, second, activity, separator, end, mark, in_json, random):
    times, columns = measured
    written = {"time": times / SECONDS_PER[second]}
    written |= {name: values / KBQ_PER[activity] for name, values in columns.items()}
    order = sorted(written, key=lambda name: random.random())
    units = {name: second if name == "time" else activity for name in order}
    headers = {} if in_json else {name: f"{name}[{unit}]" for name, unit in units.items()}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x_blood.tsv"
        path.write_text(mark + text({name: written[name] for name in order}, separator, end, headers), newline="")
        if in_json:
            path.with_suffix(".json").write_text(json.dumps({name: {"Units": unit} for name, unit in units.items()}))
        blood = read_blood([path])
    for name, curve in zip(COLUMNS, (blood.whole_blood, blood.plasma, blood.parent_plasma), strict=True):
        if name not in columns:
            assert curve is None
            continue
        known = ~np.isnan(columns[name])
        np.testing.assert_allclose(curve.times_s, times[known], rtol=1e-9)
        np.testing.assert_allclose(curve.values, columns[name][known], rtol=1e-9, atol=1e-12)


def refused_or(read):
    """What was read, or None where it was refused by name; anything else is a crash."""
    try:
        return read()
    except InputRefused as refusal:
        assert refusal.code and refusal.message
        return None


CELLS = st.one_of(
    st.sampled_from(
        ("n/a", "", "NaN", "inf", "-1", "1e400", "0,5", "time", "\t", "\n", "97", "0", "1e-9", "\x00", '"')
    ),
    st.floats().map(repr),
    st.text(max_size=5),
)
GOOD = (
    "time\twhole_blood_radioactivity\tplasma_radioactivity\tmetabolite_parent_fraction\n"
    "0\t0\t0\t1\n30\t60\t80\t1\n60\t30\t40\t0.98\n600\t8\t9\t0.7\n3600\t4\t5\t0.2\n"
)


def mutated(good, data):
    """The text with some of its cells replaced, and perhaps a piece cut out."""
    cells = good.replace("\n", "\t\n\t").split("\t")
    for _ in range(data.draw(st.integers(1, 3))):
        cells[data.draw(st.integers(0, len(cells) - 1))] = data.draw(CELLS)
    content = "\t".join(cells).replace("\t\n\t", "\n")
    start = data.draw(st.integers(0, len(content)))
    return content[:start] + content[start + data.draw(st.integers(0, 3)) :]


@quick
@given(st.data())
def test_a_damaged_blood_table_never_crashes(data):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x_blood.tsv"
        path.write_bytes(mutated(GOOD, data).encode("utf-8", "surrogatepass"))
        blood = refused_or(lambda: read_blood([path]))
    if blood is not None:
        for curve in blood.activities:
            assert np.isfinite(curve.values).all() and (np.diff(curve.times_s) > 0).all()
        if blood.parent_fraction is not None:
            assert (blood.parent_fraction.values >= 0).all() and (blood.parent_fraction.values <= 1).all()


@quick
@given(st.binary(max_size=200), st.sampled_from((b"", b"PK", b"time\tAIF\n")))
def test_any_bytes_never_crash(content, start):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x_blood.tsv"
        path.write_bytes(start + content)
        refused_or(lambda: read_blood([path]))
        refused_or(lambda: read_tacs(path))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(("s", "min", "kBq/mL", "Bq", "x")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(("Units", "Description")), inner),
    max_leaves=6,
)


@quick
@given(
    st.dictionaries(
        st.sampled_from(
            (
                *("time", *COLUMNS, "metabolite_parent_fraction", "DecayCorrected", "DecayCorrectionTime"),
                *("DispersionConstant", "DispersionConstantUnits", "DispersionCorrected"),
            )
        ),
        VALUES,
    )
)
def test_any_blood_sidecar_never_crashes(metadata):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x_recording-autosampler_blood.tsv"
        path.write_text(GOOD)
        path.with_suffix(".json").write_text(json.dumps(metadata))
        refused_or(lambda: read_blood([path]))


SIDECAR = {
    "Units": "kBq/mL",
    "FrameTimesStart": [0, 60, 900],
    "FrameDuration": [60, 840, 900],
    "RadionuclideHalfLife": 1221,
    "TracerRadionuclide": "C11",
    "DecayFactor": [1.1, 1.2, 1.3],
    "InjectedRadioactivity": 400,
    "InjectedRadioactivityUnits": "MBq",
    "RadionuclideTotalDose": 4e8,
    "InjectedMass": 1,
    "InjectedMassUnits": "nmol",
    "SpecificRadioactivity": 1,
    "SpecificRadioactivityUnits": "MBq/nmol",
    "ImageDecayCorrected": True,
    "ImageDecayCorrectionTime": 0,
    "InjectionStart": 0,
    "TimeZero": "10:00:00",
}


@quick
@given(st.dictionaries(st.sampled_from(sorted(SIDECAR)), VALUES, min_size=1, max_size=3))
def test_any_pet_sidecar_never_crashes(changed):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x_pet.json"
        path.write_text(json.dumps(SIDECAR | changed))
        refused_or(lambda: read_pet_json(path))


CURVES = "FrameTimesStart\tFrameTimesEnd\tcord\tleft\n0\t60\t10\t20\n60\t300\t9000\t8000\n300\t3600\t5000\t5500\n"


@quick
@given(st.data())
def test_a_damaged_curve_table_never_crashes(data):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x_tacs.tsv"
        path.write_bytes(mutated(CURVES, data).encode("utf-8", "surrogatepass"))
        tacs = refused_or(lambda: read_tacs(path))
    if tacs is not None:
        assert tacs.activity.shape == (len(tacs.regions), len(tacs.timing))
        assert np.isfinite(tacs.activity).all()


@quick
@given(st.floats(0.1, 15), st.floats(20, 300), st.sampled_from((1000.0, 0.001)))
def test_a_thousandfold_slip_is_seen_whatever_the_tissue_takes_up(uptake, peak, slip):
    """Tissue that averages a tenth to fifteen times of what the blood averages, as V_T of TSPO tracers do."""
    times = np.array([0.0, 30, 60, 120, 600, 3600])
    values = peak * np.array([0, 1, 0.5, 0.2, 0.07, 0.04])
    blood = BloodSamples(whole_blood=SampledCurve(times, values))
    timing = FrameTiming(np.arange(0.0, 3600, 60), np.full(60, 60.0))
    tissue = np.full((1, 60), uptake * np.trapezoid(values, times) / 3600)
    assert reconcile(blood, timing, tissue).notices == ()
    with pytest.raises(InputRefused, match="blood-image-units"):
        reconcile(blood, timing, tissue * slip)
