"""What nodes and files hold, as short keys: the same before and after a scene is saved and loaded.

Keys are of contents and positions, never of node IDs or modification times; these only tell whether a key that was
computed before is still right.
"""

import hashlib
from pathlib import Path

import numpy as np
import slicer
import slicer.util
import vtk.util.numpy_support
from numpy.typing import NDArray

from ..acquisition.sequence_files import NAMES
from .drawing import Drawing, drawing_of
from .transforms import array_from_matrix, parent_to_world, user_transform

# Of a volume no more voxels than this are looked at, evenly spread: enough to tell images apart, fast enough for a
# panel (own choice). Segments are looked at to the last voxel.
SAMPLED_VOXELS = 100_000

_known: dict[str, tuple[tuple[int, ...], str]] = {}


def _remembered(node, times: list[int], make) -> str:
    """``make()``, computed again only after something was modified; ``times``: modification times of the content."""
    stamp = (node.GetMTime(), *times)
    name = f"{node.GetClassName()} {node.GetID()}"
    if name not in _known or _known[name][0] != stamp:
        _known[name] = stamp, make()
    return _known[name][1]


def _numbers(values: NDArray) -> bytes:
    """Numbers as text: six digits survive every file format."""
    return " ".join(f"{value + 0.0:.6g}" for value in np.round(np.asarray(values, dtype=float), 6).ravel()).encode()


def _hash(*parts: bytes) -> str:
    found = hashlib.blake2b(digest_size=8)
    for part in parts:
        found.update(len(part).to_bytes(8, "little"))
        found.update(part)
    return found.hexdigest()


def _world(node) -> NDArray[np.float64]:
    """Where parent transforms put a node; a bent one counts as none here, and is refused when it is used."""
    parent = user_transform(node)
    return np.eye(4) if parent is None or not parent.IsTransformToWorldLinear() else parent_to_world(node, "node")


def _voxels(node) -> bytes:
    image = node.GetImageData()
    if image is None or image.GetPointData().GetScalars() is None:
        return b""
    values = vtk.util.numpy_support.vtk_to_numpy(image.GetPointData().GetScalars()).ravel()
    sampled = values[:: max(len(values) // SAMPLED_VOXELS, 1)]
    return str(image.GetDimensions()).encode() + np.ascontiguousarray(sampled, dtype=np.float32).tobytes()


def _placed(node) -> bytes:
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return _numbers(_world(node) @ array_from_matrix(matrix))


def _image_time(node) -> int:
    return node.GetImageData().GetMTime() if node.GetImageData() else 0


def _transform_time(node) -> int:
    parent = user_transform(node)
    return parent.GetTransformToWorldMTime() if parent is not None else 0


def volume_key(node) -> str:
    """Of a scalar volume; "" for None."""
    if node is None:
        return ""
    times = [_image_time(node), _transform_time(node)]
    return _remembered(node, times, lambda: _hash(_voxels(node), _placed(node)))


def sequence_key(node) -> str:
    """Of a sequence of volumes with its index and what it says of itself; "" for None."""
    if node is None:
        return ""
    frames = [node.GetNthDataNode(frame) for frame in range(node.GetNumberOfDataNodes())]
    frames = [frame for frame in frames if frame is not None and frame.IsA("vtkMRMLVolumeNode")]
    browsers = slicer.util.getNodesByClass("vtkMRMLSequenceBrowserNode")
    proxies = [proxy for browser in browsers if (proxy := browser.GetProxyNode(node)) is not None]
    times = [_image_time(frame) for frame in frames] + [_transform_time(proxy) for proxy in proxies]

    def make() -> str:
        stated = [node.GetAttribute(name) or "" for name in NAMES]
        stated += [node.GetNthIndexValue(frame) for frame in range(node.GetNumberOfDataNodes())]
        # A sequence that no view shows has no proxy, and lies where it lies.
        placed = [*map(_placed, frames), _numbers(_world(proxies[0]) if proxies else np.eye(4))]
        return _hash("\n".join(stated).encode(), *placed, *(_voxels(frame) for frame in frames))

    return _remembered(node, times, make)


def segmentation_key(node) -> str:
    """Of all drawn segments: names, tags that mean something, and every voxel; "" for None."""
    if node is None:
        return ""
    segmentation = node.GetSegmentation()
    segments = [segmentation.GetSegment(segment_id) for segment_id in segmentation.GetSegmentIDs()]
    labelmaps = slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName()
    layers = [segment.GetRepresentation(labelmaps) for segment in segments]
    times = [segmentation.GetMTime(), _transform_time(node), *(segment.GetMTime() for segment in segments)]
    times += [layer.GetMTime() for layer in layers if layer is not None]

    def make() -> str:
        drawing = drawing_of(node, _world(node))
        masks = [layer.masks() for layer in drawing.layers]
        parts = [_numbers(drawing.world)]
        for segment_id, (name, tags) in drawing.segments.items():
            parts.append(f"{name} {sorted(tags.items())}".encode())
            if segment_id in drawing.places:
                layer, label = drawing.places[segment_id]
                parts.append(_drawn(*masks[layer][label]) if label in masks[layer] else b"")
        return _hash(*parts)

    return _remembered(node, times, make)


def drawing(node) -> Drawing:
    """What is drawn in a segmentation node now, to be compared with what will be drawn later."""
    return drawing_of(node, _world(node), keep=True)


def _drawn(mask: NDArray[np.bool_], to_ras: NDArray) -> bytes:
    """One segment: its mask and where it lies."""
    return (
        _numbers(np.hstack([to_ras[:3, :3].ravel(), to_ras[:3, 3]]))
        + str(mask.shape).encode()
        + np.packbits(mask).tobytes()
    )


def hashed(name: str, values: NDArray) -> dict[str, str]:
    """Voxels as the provenance names an input: what it is, and the SHA-256 of its values."""
    return {"name": name, "sha256": hashlib.sha256(np.ascontiguousarray(values).data).hexdigest()}


def file_key(path: str) -> str:
    """Of a small file's bytes; "" where there is none."""
    file = Path(path)
    return _hash(file.read_bytes()) if path and file.is_file() else ""
