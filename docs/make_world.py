"""Draw `selat/console/assets/world.svg` and `selat/console/world.json` from the npm package world-atlas.

`npm pack world-atlas@2.0.2`, unpack it, `python docs/make_world.py FOLDER`. Its data are Natural Earth's, in the
public domain; the package's own licence is ISC. Borders are as Natural Earth draws them.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from babel.core import get_global

HOUSE = Path(__file__).parent.parent / "selat" / "console"
WIDE = 1000
LEFT_OUT = {"010"}
"""Antarctica: nothing stands there, and it would take a fifth of the picture."""
LEAST = 1.5
"""Points of a border nearer to each other than this, in the picture's units, are drawn as one."""

Point = tuple[float, float]


def equal_earth(longitude: float, latitude: float) -> Point:
    """Where a place lies in a picture that keeps areas. Source: Savric, Patterson, Jenny 2018."""
    a1, a2, a3, a4 = 1.340264, -0.081106, 0.000893, 0.003796
    theta = math.asin(math.sqrt(3) / 2 * math.sin(math.radians(latitude)))
    square = theta * theta
    x = 2 * math.sqrt(3) * math.radians(longitude) * math.cos(theta)
    x /= 3 * (9 * a4 * square**4 + 7 * a3 * square**3 + 3 * a2 * square + a1)
    y = theta * (a4 * square**4 + a3 * square**3 + a2 * square + a1)
    return x, y


EDGE = equal_earth(180, 0)[0]
TOP, BOTTOM = equal_earth(0, 84)[1], equal_earth(0, -57)[1]
SCALE = WIDE / (2 * EDGE)
HIGH = round((TOP - BOTTOM) * SCALE)


def placed(longitude: float, latitude: float) -> Point:
    x, y = equal_earth(longitude, latitude)
    return (x + EDGE) * SCALE, (TOP - y) * SCALE


class World:
    """A TopoJSON file of countries: arcs that neighbours share, thinned once for both."""

    def __init__(self, path: Path, least: float) -> None:
        topology = json.loads(path.read_text("utf-8"))
        self._scale, self._move = topology["transform"]["scale"], topology["transform"]["translate"]
        self._arcs = [thinned(list(self._points(arc)), least) for arc in topology["arcs"]]
        self.countries = topology["objects"]["countries"]["geometries"]

    def _points(self, arc: list[list[int]]) -> Iterator[Point]:
        x = y = 0
        for dx, dy in arc:
            x, y = x + dx, y + dy
            yield x * self._scale[0] + self._move[0], y * self._scale[1] + self._move[1]

    def rings(self, country: dict[str, Any]) -> Iterator[list[Point]]:
        """The outer and inner borders of a country."""
        polygons = country["arcs"] if country["type"] == "MultiPolygon" else [country["arcs"]]
        for polygon in polygons:
            for ring in polygon:
                points: list[Point] = []
                for number in ring:
                    arc = self._arcs[number] if number >= 0 else self._arcs[~number][::-1]
                    points += arc[1:] if points else arc
                yield [placed(*point) for point in unbroken(points)]


def thinned(points: list[Point], least: float) -> list[Point]:
    """Both ends, and of the rest those that are far enough in the picture from the one before."""
    kept = points[:1]
    for point in points[1:-1]:
        if math.dist(placed(*point), placed(*kept[-1])) >= least:
            kept.append(point)
    return [*kept, points[-1]]


def unbroken(points: list[Point]) -> list[Point]:
    """A border that crosses the 180th meridian goes on beyond it, instead of across the whole picture."""
    whole, turned = points[:1], 0.0
    for (before, _), (longitude, latitude) in pairwise(points):
        turned += 360.0 if longitude - before < -180 else -360.0 if longitude - before > 180 else 0.0
        whole.append((longitude + turned, latitude))
    return whole


def path_of(rings: Iterator[list[Point]]) -> str:
    """Rings as the data of a path, in whole units, each point relative to the one before."""
    said = []
    for ring in rings:
        whole = [(round(x), round(y)) for x, y in ring]
        if len(set(whole)) < 3:
            continue
        steps = [(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(whole)]
        line = " ".join(f"{dx},{dy}" for dx, dy in steps if dx or dy)
        said.append(f"M{whole[0][0]},{whole[0][1]}l{line}z")
    return "".join(said)


def area(ring: list[Point]) -> float:
    pairs = zip(ring, ring[1:] + ring[:1], strict=True)
    return abs(sum(ax * by - bx * ay for (ax, ay), (bx, by) in pairs)) / 2


def middle(rings: list[list[Point]]) -> list[int]:
    """The middle of the largest part of a country."""
    largest = max(rings, key=area)
    return [round(sum(axis) / len(largest)) for axis in zip(*largest, strict=True)]


def code_of(country: dict[str, Any]) -> str:
    """ISO 3166-1 alpha-2 of a country that is known by its number, "" for one that has none."""
    return str(get_global("territory_aliases").get(country.get("id", ""), [""])[0])


def main(folder: Path) -> None:
    coarse, fine = World(folder / "countries-110m.json", LEAST), World(folder / "countries-50m.json", 0.0)
    paths = []
    for country in coarse.countries:
        if country.get("id") not in LEFT_OUT and (drawn := path_of(coarse.rings(country))):
            code = code_of(country)
            named = f' id="{code}"' if code else ""
            paths.append(f'<path{named} d="{drawn}"/>')
    note = "Natural Earth (public domain) by way of world-atlas 2.0.2 (ISC); made by docs/make_world.py"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDE} {HIGH}"><!-- {note} --><g id="land">'
    (HOUSE / "assets" / "world.svg").write_text("\n".join([head, *sorted(paths), "</g></svg>"]) + "\n")
    places = {code: middle(list(fine.rings(one))) for one in fine.countries if len(code := code_of(one)) == 2}
    told = {"note": note, "wide": WIDE, "high": HIGH, "places": dict(sorted(places.items()))}
    (HOUSE / "world.json").write_text(json.dumps(told, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
