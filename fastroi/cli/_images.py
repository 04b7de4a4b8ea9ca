"""Which image of the features a box belongs to, from what a file calls its images."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy

from ._errors import shown
from ._files import is_stream, read_content


@dataclass(frozen=True)
class Images:
    """The images that features hold.

    Attributes
    ----------
    count : int
        How many.
    positions : dict or None
        From each name that an image has, its number or its file name, to its position; None if no option told.
    """

    count: int
    positions: dict[str, int] | None = None

    def locate(self, names, path, where):
        """Return the position of the image that each name stands for.

        Parameters
        ----------
        names : list of tuple of str
            For each box, the names its image goes by.
        path : str
            The file they come from.
        where : callable
            From the number of a box to its place in that file.

        Returns
        -------
        indices : numpy.ndarray
            (K,) int64; -1 for an image that --images does not list.
        note : str or None
            What was assumed, to be told.

        Raises
        ------
        ValueError
            The names do not tell positions.
        """
        for row, own in enumerate(names):
            if not own or not own[0]:
                raise ValueError(f"{shown(path)}: {where(row)}: no image is named")
        if self.positions is not None:
            return self._listed(names, path, where), None
        return self._guessed([own[0] for own in names], path, where)

    def _listed(self, names, path, where):
        found = {own: {self.positions[name]: name for name in own if name in self.positions} for own in set(names)}
        for row, own in enumerate(names):
            if len(found[own]) > 1:
                listed = " and ".join(f"{name!r} at {position}" for position, name in found[own].items())
                raise ValueError(f"{shown(path)}: {where(row)}: the names of its image are of two: {listed}")
        return numpy.array([next(iter(found[own]), -1) for own in names], dtype=numpy.int64)

    def _guessed(self, names, path, where):
        first = {}
        for row, name in enumerate(names):
            first.setdefault(name, row)
        if len(first) <= 1 and self.count == 1:
            return numpy.zeros(len(names), dtype=numpy.int64), None
        numbers = {name: int(name) for name in first if re.fullmatch(r"[0-9]{1,15}", name)}
        whole = len(numbers) == len(first)
        if self.count > 1 and whole and (not first or (0 in numbers.values() and max(numbers.values()) < self.count)):
            taken = f"{shown(path)}: image numbers from 0 are taken as positions in the features"
            return numpy.array([numbers[name] for name in names], dtype=numpy.int64), taken if first else None
        rows = list(first.values())[:2]
        named = " and ".join(f"{where(row)} names image {names[row]!r}" for row in rows)
        hint = "--images FILE lists the names in the order of the features"
        raise ValueError(f"{shown(path)}: {named}, but the features hold {self.count} images without names; {hint}")


def read_images(path, count) -> Images:
    """Read the names of the images in the order of the features, one a line or from a COCO file.

    Raises
    ------
    ValueError
        The file lists none, one twice, or more or fewer than the features hold.
    """
    if path is None:
        return Images(count)
    content = read_content(path)
    coco = content.lstrip()[:1] in (b"{", b"[") and (is_stream(path) or Path(path).suffix.lower() == ".json")
    listed = _coco_names(content, path) if coco else _lines(content, path)
    positions = {}
    for position, names in enumerate(listed):
        for name in names:
            if positions.setdefault(name, position) != position:
                raise ValueError(f"{shown(path)}: image {name!r} is listed twice")
    if len(listed) != count:
        raise ValueError(f"{shown(path)}: lists {len(listed)} images, but the features hold {count}")
    return Images(count, positions)


def _lines(content, path):
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"{shown(path)}: byte {error.start} is not UTF-8") from None
    return [(line.strip(),) for line in lines if line.strip()]


def _coco_names(content, path):
    listed = parse_json(content, path)
    if isinstance(listed, dict):
        listed = listed.get("images")
    if not isinstance(listed, list):
        raise ValueError(f"{shown(path)}: expected a list of names, or a COCO file with the list images")
    return image_names(listed, path)


def parse_json(content, path):
    """Return what JSON text holds.

    Raises
    ------
    ValueError
        It is no JSON.
    """
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{shown(path)}: not JSON: {error}") from None


def image_names(images, path) -> list[tuple[str, ...]]:
    """Return the names of each image of a COCO file: its id, and its file name if it has one.

    Raises
    ------
    ValueError
        An image has no id, or one that another has too.
    """
    names, ids = [], {}
    for index, image in enumerate(images):
        own = image if isinstance(image, dict) else {"id": image}
        identity = name_of(own.get("id"))
        if identity is None:
            raise ValueError(f"{shown(path)}: images[{index}] has no id")
        if identity in ids:
            raise ValueError(f"{shown(path)}: images[{index}] repeats the id {own['id']!r}")
        ids[identity] = index
        file_name = own.get("file_name")
        names.append((identity, file_name) if isinstance(file_name, str) else (identity,))
    return names


def name_of(identity) -> str | None:
    """The id of an image, a whole number or a string, as a name; None for anything else."""
    if isinstance(identity, bool) or not isinstance(identity, (int, str)):
        return None
    try:
        return str(identity)
    except ValueError:  # a number of thousands of digits
        return None
