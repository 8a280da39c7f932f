"""A treemap of sizes: areas laid out by squarify, drawn as SVG by the page's template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aotwin.stages.report.layers import layers_of
from aotwin.stages.report.subject import ReadModel, Subject

#: of the drawing, in its own units
WIDTH, HEIGHT = 960.0, 420.0
#: areas in it; what is smaller is drawn together
_MOST = 60
#: of one model's weights: larger areas than the table has rows
_MOST_LAYERS = 16
#: characters that a unit of width has room for, at the size of the labels
_CHARACTERS = 1 / 7.4
_LABEL_HEIGHT = 34.0
_SIZE_WIDTH = 68.0
#: words for the kinds of areas, in the order of the legend
KINDS = {
    "weights": "weights",
    "dll": "model code (DLL)",
    "runtime": "run time",
    "sdk": "SDK",
    "other": "Python and others",
}


@dataclass(frozen=True)
class Area:
    """One rectangle."""

    label: str
    nbytes: int
    #: of `KINDS`
    kind: str
    x: float = 0.0
    y: float = 0.0
    width: float = 0.0
    height: float = 0.0

    @property
    def text(self) -> str:
        """As much of the label as there is room for; "" where that says nothing."""
        room = int((self.width - 14) * _CHARACTERS)
        if self.height < _LABEL_HEIGHT or room < 4:
            return ""
        return self._cut(room)

    @property
    def has_room_for_size(self) -> bool:
        """Whether its size can stand below the label."""
        return self.height > _LABEL_HEIGHT + 10 and self.width > _SIZE_WIDTH

    def _cut(self, room: int) -> str:
        if len(self.label) > room and self.kind == "weights":
            # Modules are told apart by the end of their paths.
            return "…" + self.label[1 - room :]
        return self.label if len(self.label) <= room else self.label[: room - 1] + "…"


def treemap_of(subject: Subject) -> list[Area]:
    """Rectangles that fill the drawing, the largest first."""
    import squarify

    areas = [area for area in _areas(subject) if area.nbytes > 0]
    areas.sort(key=lambda area: (-area.nbytes, area.label))
    rest = areas[_MOST - 1 :]
    if len(rest) > 1:
        total = sum(area.nbytes for area in rest)
        areas = [*areas[: _MOST - 1], Area(f"{len(rest):,} more", total, "other")]
        areas.sort(key=lambda area: (-area.nbytes, area.label))
    if not areas:
        return []
    # A share of a thousandth is seen; without it a byte beside a gigabyte would be no rectangle.
    largest = areas[0].nbytes
    shares = [max(area.nbytes / largest, 1e-4) for area in areas]
    sizes = squarify.normalize_sizes(shares, WIDTH, HEIGHT)
    places = squarify.squarify(sizes, 0, 0, WIDTH, HEIGHT)
    return [
        Area(area.label, area.nbytes, area.kind, at["x"], at["y"], at["dx"], at["dy"])
        for area, at in zip(areas, places, strict=True)
    ]


def _areas(subject: Subject) -> list[Area]:
    kinds = _kinds(subject.models)
    layered = {
        model.home + model.manifest.blob.file: model
        for model in subject.models
        if "/" not in model.manifest.blob.file and model.details.weights
    }
    areas = []
    for name, nbytes in subject.sizes.items():
        if name in layered and (rows := layers_of(layered[name].details.weights, _MOST_LAYERS)):
            areas += [Area(layer.name, layer.nbytes, "weights") for layer in rows]
        else:
            areas.append(Area(name.rpartition("/")[2], nbytes, kinds.get(name, _by_name(name))))
    return areas


def _kinds(models: Sequence[ReadModel]) -> Mapping[str, str]:
    kinds: dict[str, str] = {}
    for model in models:
        kinds |= {model.home + dll.file: "dll" for dll in model.manifest.dlls}
        kinds[model.home + model.manifest.blob.file] = "weights"
        kinds |= {model.home + name: "sdk" for name in model.manifest.sdk}
    return kinds


def _by_name(name: str) -> str:
    if "libs/" in name and name.endswith(".dll"):
        return "runtime"
    if name.endswith(".blob"):
        return "weights"
    return "dll" if name.endswith((".dll", ".pyd")) else "other"
