"""What the columns of a table of boxes are, from their names."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ._errors import shown

# Names without case, underscores and a leading bbox or box. x1 is the left side, unless there is an x0.
_ROLES = {
    "left": ("x1", "xmin", "minx", "left", "xtl", "xleft", "x"),
    "top": ("y1", "ymin", "miny", "top", "ytl", "ytop", "y"),
    "right": ("x2", "xmax", "maxx", "right", "xbr", "xright"),
    "bottom": ("y2", "ymax", "maxy", "bottom", "ybr", "ybottom"),
    "width": ("w", "width"),
    "height": ("h", "height"),
    "cx": ("cx", "centerx", "centrex", "xcenter", "xcentre", "xc", "ctrx"),
    "cy": ("cy", "centery", "centrey", "ycenter", "ycentre", "yc", "ctry"),
    "angle": ("angle", "theta", "rotation"),
}
_FROM_ZERO = {"x0": "left", "y0": "top", "x1": "right", "y1": "bottom"}
CORNERS, SIZES = ("left", "top", "right", "bottom"), ("left", "top", "width", "height")
CENTRE, TURNED = ("cx", "cy", "width", "height"), ("cx", "cy", "width", "height", "angle")

_POSITION = re.compile(r"(batch|roibatch)(index|idx|ind|id|no)?|(image|img|frame|mask)(index|idx|ind)")
_IMAGE = re.compile(
    r"(image|images|img|imgs|frame|frames|file|filename|filepath|fname|path|photo|picture|pic|page|slide|scan|video|clip|url|uri)"
    r"(id|ids|name|names|file|path|no|nr|num|number|key|url)?"
)
_SIZE = {"width", "height", "w", "h", "size", "depth", "channels", "area"}
# Columns of a box that are known to be no image's name and need no word.
_OF_BOX = re.compile(
    r"(annotation|ann|box|bbox|object|obj|track|roi|det|detection|instance|category|class|label|cls|row)?(id|name|index|idx|no)?"
    r"|(annotation|category|class|label|cls|labels|score|scores|confidence|conf|prob|probability|iscrowd|crowd|area|difficult|truncated"
    r"|occluded|visibility|width|height|depth|(image|img)(width|height|w|h))"
)


@dataclass(frozen=True)
class Columns:
    """Where a table has what.

    Attributes
    ----------
    form : tuple of str
        What the numbers of a box are: `CORNERS`, `SIZES`, `CENTRE` or `TURNED`.
    numbers : list of int
        Their columns.
    positions : list of int
        Columns of the image's position in the features.
    images : list of int
        Columns of the image's name.
    extras : dict
        From the names of all others to their columns.
    """

    form: tuple[str, ...]
    numbers: list[int]
    positions: list[int] = field(default_factory=list)
    images: list[int] = field(default_factory=list)
    extras: dict[str, int] = field(default_factory=dict)

    def unknown(self) -> list[str]:
        """Names of columns that are neither read nor known to be of no consequence."""
        return [name for name in self.extras if not _OF_BOX.fullmatch(_compact(name))]


def unnamed(coordinates, xywh, indexed):
    """The columns of a table without names: those of a box, after the image's position if it is `indexed`."""
    form = TURNED if coordinates == 5 else SIZES if xywh else CORNERS
    return Columns(form, [at + indexed for at in range(coordinates)], [0] if indexed else [])


def as_corners(numbers, form):
    """Upright boxes of any form as x1 y1 x2 y2; rotated ones as they are."""
    if form == CENTRE:
        numbers[:, :2] -= numbers[:, 2:] / 2
    if form in (CENTRE, SIZES):
        numbers[:, 2:] += numbers[:, :2]
    return numbers


def check_one_reading(values, path, operator, xywh):
    """Refuse five columns without names that may as well be a box and its score as an image and its box.

    They may if nothing in the last is beyond [0, 1], as no side of a box in pixels is, or if the boxes that follow the first column
    are reversed and those that begin with it are not.

    Raises
    ------
    ValueError
        They may.
    """
    if operator.coordinates != 4 or not len(values):
        return
    first, second, third, fourth, last = values.T
    score = not operator.normalised and bool(((last >= 0) & (last <= 1)).all())
    reversed_after = bool(((fourth < second) | (last < third)).any())
    upright_before = bool(((third >= first) & (fourth >= second)).all())
    if score or (reversed_after and upright_before and not xywh):
        hint = "--columns tells: batch,x1,y1,x2,y2 or x1,y1,x2,y2,score"
        raise ValueError(
            f"{shown(path)}: five columns without names may begin with the image or end in a score; {hint}"
        )


def named(header, coordinates, masks=False) -> Columns:
    """Find the columns of the boxes and of their images by name.

    Parameters
    ----------
    header : list of str
        The names; _ or nothing for a column not to be read.
    coordinates : int
        Numbers of a box.
    masks : bool
        Boxes are of masks: images do not matter.

    Raises
    ------
    ValueError
        The names are of no boxes, or of two.
    """
    names = [_compact(name) for name in header]
    roles = _roles(names)
    forms = (TURNED,) if coordinates == 5 else (CORNERS, SIZES, CENTRE)
    form = next((form for form in forms if all(role in roles for role in form)), None)
    if form is None:
        wanted = "no cx,cy,w,h,angle" if coordinates == 5 else "neither x1,y1,x2,y2 nor x,y,w,h"
        raise ValueError(f"{','.join(header)!r} has {wanted}")
    for role in form:
        if len(roles[role]) > 1:
            raise ValueError(f"{','.join(header)!r} has {len(roles[role])} columns for the {role} of a box")
    numbers = [roles[role][0] for role in form]
    others = [at for at, name in enumerate(names) if at not in numbers and name]
    positions = [at for at in others if _POSITION.fullmatch(names[at])]
    images = [at for at in others if at not in positions and _is_image(header[at])]
    if not positions and not images:
        images = [at for at in others if names[at] == "id"]
    if masks:
        images = []
    extras = {header[at].strip(): at for at in others if at not in positions and at not in images}
    return Columns(form, numbers, positions, images, extras)


def _roles(names):
    from_zero = _FROM_ZERO if {"x0", "y0"} & set(names) else {}
    roles = {}
    for at, name in enumerate(names):
        name = re.sub(r"^(bbox|box|bb|rect)(?=.)", "", name)
        role = from_zero.get(name) or next((role for role, known in _ROLES.items() if name in known), None)
        if role:
            roles.setdefault(role, []).append(at)
    return roles


def _compact(name) -> str:
    return "".join(_words(name))


def _words(name):
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip())
    return [word for word in re.split(r"[\W_]+", parted.lower()) if word]


def _is_image(name) -> bool:
    words = _words(name)
    return not _SIZE & set(words) and any(_IMAGE.fullmatch(word) for word in [*words, "".join(words)])
