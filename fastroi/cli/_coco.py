"""Boxes from COCO files: datasets with images and annotations, and lists of results."""

from __future__ import annotations

import numpy

from fastroi._checks.names import shown as quoted

from ._boxes import Boxes
from ._errors import shown
from ._images import Images, image_names, name_of, parse_json

_EXTRAS = ("id", "category_id", "score", "iscrowd")


def read_coco(content, path, images: Images) -> Boxes:
    """Read the boxes of annotations or results, as x1 y1 x2 y2.

    Raises
    ------
    ValueError
        It holds no boxes; the message names file and place.
    """
    content = parse_json(content, path)
    source = "results" if isinstance(content, list) else "annotations"
    annotations, aliases = (content, None) if source == "results" else _dataset(content, path, images)
    rois, names = numpy.empty((len(annotations), 4)), []
    for row, annotation in enumerate(annotations):
        where = f"{shown(path)}: {source}[{row}]"
        x, y, width, height = _bbox(annotation, where)
        rois[row] = x, y, x + width, y + height
        names.append(_image(annotation, aliases, where))
    indices, note = _order(images, aliases).locate(names, path, lambda row: f"{source}[{row}]")
    extras = {
        name: [_extra(a, name, f"{shown(path)}: {source}[{row}]") for row, a in enumerate(annotations)]
        for name in _EXTRAS
        if any(name in a for a in annotations)
    }
    return Boxes(rois, indices, [own[0] for own in names], source[:-1], None, extras, [note] if note else [])


def _order(images, aliases):
    """The images of a dataset stand in the features as in its own list, unless --images tells another order."""
    if aliases is None or images.positions is not None:
        return images
    return Images(images.count, {identity: position for position, identity in enumerate(aliases)})


def _dataset(content, path, images):
    for name in ("images", "annotations"):
        if not isinstance(content, dict) or not isinstance(content.get(name), list):
            wanted = "an object with the lists images, annotations, or a list of results"
            raise ValueError(f"{shown(path)}: a COCO file is {wanted}")
    listed = image_names(content["images"], path)
    if images.positions is None and len(listed) != images.count:
        counts = f"lists {len(listed)} images, but the features hold {images.count}"
        raise ValueError(f"{shown(path)}: {counts}; --images FILE lists those of the features in their order")
    return content["annotations"], {own[0]: own for own in listed}


def _bbox(annotation, where):
    bbox = annotation.get("bbox") if isinstance(annotation, dict) else None
    good = isinstance(bbox, list) and len(bbox) == 4
    if not good or any(isinstance(v, bool) or not isinstance(v, (int, float)) for v in bbox):
        raise ValueError(f"{where}: bbox {quoted(bbox)} is not [x, y, width, height]")
    try:
        return [float(value) for value in bbox]
    except OverflowError:
        raise ValueError(f"{where}: bbox holds a number beyond float64") from None


def _extra(annotation, name, where):
    value = annotation.get(name)
    if isinstance(value, (list, dict)):
        raise ValueError(f"{where}: {name} {quoted(value)} is neither a number nor a string")
    return value


def _image(annotation, aliases, where) -> tuple[str, ...]:
    """The names that the image of an annotation goes by."""
    identity = annotation.get("image_id")
    name = name_of(identity)
    if aliases is None:
        if name is None:
            raise ValueError(f"{where}: image_id {quoted(identity)} is not the id of an image")
        return (name,)
    if name not in aliases:
        raise ValueError(f"{where}: image_id {quoted(identity)} is not among the images")
    return aliases[name]
