"""Strategies for files that hold anything: valid ones, changed ones, ones that lie about themselves, of every kind that is read.

A strategy of `CONTENTS` draws the bytes of a file, by its ending.
"""

import io
import json
import struct
import zipfile
from dataclasses import dataclass

import hypothesis.extra.numpy as arrays
import numpy as np
from hypothesis import strategies as st

from fastroi.cli._boxes import Boxes


def mostly(*strategies):
    """One of them, each as often as it stands here, however many alternatives each has itself."""
    return st.sampled_from(strategies).flatmap(lambda chosen: chosen)


# --- bytes, and what becomes of them ----------------------------------------------------------------------------------------


@st.composite
def changed(draw, contents):
    """The bytes of a file as they are, cut off, with other bytes among them, or with a piece moved or repeated."""
    content = draw(contents)
    for _ in range(draw(st.sampled_from((0, 0, 1, 1, 1, 3)))):
        at, end = sorted(draw(st.tuples(*[st.integers(0, len(content))] * 2)))
        piece = content[at:end]
        change = draw(st.sampled_from(("cut", "flip", "insert", "remove", "repeat", "splice")))
        if change == "cut":
            content = content[:at]
        elif change == "flip" and at < len(content):
            content = content[:at] + bytes([content[at] ^ draw(st.integers(1, 255))]) + content[at + 1 :]
        elif change == "insert":
            content = content[:at] + draw(st.binary(max_size=6)) + content[at:]
        elif change == "remove":
            content = content[:at] + content[end:]
        elif change == "repeat":
            content = content[:end] + piece[:400] + content[end:]
        elif change == "splice":
            content = content[:at] + draw(contents)[at:]
    return content


# --- arrays -------------------------------------------------------------------------------------------------------------------

DTYPES = ("<f4", "<f8", ">f4", ">f8", "<f2", "<i1", "<i4", ">i8", "<u8", "|b1", "<c8", "<c16", "<U3", "|S2", "<M8[s]", "<m8[D]", "|V3",
          "<f4,<i2", np.dtype(np.longdouble).str)  # fmt: skip
SHAPES = st.one_of(
    arrays.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=5),
    st.sampled_from(((2, 1, 4, 4), (1, 4, 4), (3, 5), (3, 4), (2, 4, 4))),
)


@st.composite
def some_array(draw):
    dtype, shape = np.dtype(draw(st.sampled_from(DTYPES))), draw(SHAPES)
    count = int(np.prod(shape)) * dtype.itemsize
    filled = draw(st.one_of(st.none(), st.binary(min_size=count, max_size=count)))
    array = np.frombuffer(filled, dtype) if filled and dtype.kind not in "U" else np.arange(np.prod(shape)) % 3
    array = array.astype(dtype) if dtype.kind not in "VMm" or filled else np.zeros(shape, dtype)
    return np.array(array.reshape(shape), order=draw(st.sampled_from("CF")))


FITTING = st.tuples(
    st.sampled_from(((2, 1, 4, 4), (2, 4, 4), (2, 2, 2, 2), (2, 1, 2, 2), (2, 4), (2, 5))), st.sampled_from(DTYPES[:9])
).map(lambda drawn: (np.arange(np.prod(drawn[0])) % 2).reshape(drawn[0]).astype(drawn[1]))


@st.composite
def npy(draw):
    """An array as NumPy writes it, in any version of the format."""
    file = io.BytesIO()
    np.lib.format.write_array(
        file, draw(mostly(some_array(), FITTING)), version=draw(st.sampled_from(((1, 0), (2, 0), (3, 0))))
    )
    return file.getvalue()


EXTENTS = ("0", "1", "4", "2", "-1", "True", "2.0", "'2'", "0x2", "1_0", "2L", "1000000", str(2**31), str(2**40), str(2**62),
           str(2**63), str(2**64), "9" * 400, "9" * 5000, "None", "()")  # fmt: skip
DESCRIPTIONS = ("'<f4'", "'<f8'", "'>f8'", "'|O'", "'O'", "'<f3'", "'<f16'", "'|V0'", "'<U0'", "'<U100000000'", "'|S2147483647'", "'|V2000000000'",
                "''", "'f4, f4'", "'x'", "None", "3", "[('a', '<f4')]", "[('a', '<f4', (2,))]", "[('a', 'O')]", "[('a', '<f4', (1000000, 1000000))]",
                "[]", "{}", "('<f4', 2)", "'<M8'", "'<M8[7s]'", "'a'", "b'<f4'", "'\\d'", "'f4'*2", "float", "'datetime64[fs]'")  # fmt: skip
ORDERS = ("False", "True", "0", "'x'", "None")


@st.composite
def headers(draw):
    """The text of a header that promises anything."""
    extents = draw(st.lists(st.sampled_from(EXTENTS), max_size=6))
    shape = draw(st.sampled_from((f"({', '.join([*extents, ''])})", f"[{', '.join(extents)}]", *EXTENTS)))
    entries = [
        f"'descr': {draw(st.sampled_from(DESCRIPTIONS))}",
        f"'fortran_order': {draw(st.sampled_from(ORDERS))}",
        f"'shape': {shape}",
        draw(st.sampled_from(("", "", "", "'more': 1", "**x", "'shape': (4,)"))),
    ]
    text = "{" + ", ".join(entry for entry in draw(st.permutations(entries)) if entry) + ", }"
    return draw(
        st.sampled_from(
            (text, text, text, text, "[" * 300 + text, "-" * 3000 + "1", f"{text} if 1 else 2", text[:-1], "")
        )
    )


@st.composite
def lying_npy(draw):
    """Magic, length and header as they like, before a few bytes of data."""
    text = draw(headers()).encode("latin-1")
    version = draw(st.sampled_from(((1, 0), (1, 0), (2, 0), (3, 0), (0, 0), (9, 9))))
    text += b" " * draw(st.integers(0, 64)) + b"\n"
    length = len(text) + draw(st.sampled_from((0, 0, 0, 0, 0, 1, -1, 60000, 2**31)))
    width = "<H" if version == (1, 0) else "<I"
    packed = struct.pack(width, max(0, min(length, 2 ** (8 * struct.calcsize(width)) - 1)))
    return b"\x93NUMPY" + bytes(version) + packed + text + draw(st.binary(max_size=200))


NPY = mostly(npy(), changed(npy()), lying_npy())
MEMBERS = st.sampled_from(
    ("arr_0.npy", "a.npy", "b.npy", "a", "../a.npy", "a\n.npy", "\x1b[2J.npy", ".npy", "é.npy", "a.txt", "/")
)
METHODS = st.sampled_from((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))


@st.composite
def npz(draw):
    file = io.BytesIO()
    members = draw(
        mostly(st.dictionaries(MEMBERS, NPY, max_size=3), st.dictionaries(MEMBERS, npy(), min_size=1, max_size=1))
    )
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, draw(METHODS))
    return file.getvalue()


# --- tables -------------------------------------------------------------------------------------------------------------------

ODD = ("", " ", "nan", "inf", "-inf", "1e400", "-0", "0x10", "1_0", "٣", "½", "1,5", "1.5.", ".", "-", "+1", "1e5", "1e-320", "True", '"', '""', "'", "#",
       '"a', 'a"b"', "\0", "\x1b[31m", "\u2028", "\xa0", "a\nb", "=1+1", "9" * 30, "9" * 5000, "x" * 300, "a.jpg", "b.jpg", "é", "😀")  # fmt: skip
NAMES = ("x1", "y1", "x2", "y2", "x", "y", "w", "h", "cx", "cy", "width", "height", "angle", "batch", "image", "image_id", "filename", "id", "score",
         "x0", "y0", "left", "X1", "bbox_x1", " x1 ", "_", "", "label", "mask_index", "xmin", "ymin", "xmax", "ymax")  # fmt: skip
HEADERS = (("x1", "y1", "x2", "y2"), ("batch", "x1", "y1", "x2", "y2"), ("image_id", "x", "y", "w", "h", "label"), ("batch", "x1", "y1", "x2", "y2"), ("image", "x", "y", "w", "h"), ("filename", "xmin", "ymin", "xmax", "ymax", "label"),
           ("cx", "cy", "w", "h", "angle"), ("batch", "cx", "cy", "w", "h", "angle"), ("x1", "y1", "x2", "y2", "score", "score"),
           ("batch", "x1", "y1", "x2", "y2", "row", "file_row", "a;b"))  # fmt: skip
ENCODINGS = st.sampled_from(("utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "latin-1"))
CELLS = st.one_of(st.integers(-3, 9).map(str), st.floats().map(repr), st.sampled_from(ODD), st.text(max_size=3))


@st.composite
def table(draw):
    """Lines of cells between separators, most of them of one length."""
    good = draw(st.booleans())
    names = st.sampled_from(HEADERS)
    header = list(draw(names if good else st.one_of(names, st.lists(st.sampled_from(NAMES), min_size=1, max_size=7))))
    width = draw(st.sampled_from((len(header),) * 6 + (() if good else (4, 5))))
    cells = st.integers(0, 1).map(str) if good else CELLS
    rows = draw(st.lists(st.lists(cells, min_size=width, max_size=width), max_size=6))
    rows = [header, *rows] if draw(st.sampled_from((good, good, True, False))) else rows
    rows = draw(st.sampled_from((rows,) * 4 + ([["# x1 y1 x2 y2"], *rows], [*rows, ["#"], []])))
    separator = draw(st.sampled_from((",", ",", ",", ";", "\t", " ", ", ", "\x00")))
    newline = draw(st.sampled_from(("\n", "\r\n", "\r", "\n\n")))
    text = newline.join(separator.join(row) for row in rows) + draw(st.sampled_from((newline, newline, "", '"')))
    return text.encode(draw(ENCODINGS), "replace")


# --- JSON ---------------------------------------------------------------------------------------------------------------------

NUMBERS = st.one_of(st.integers(-3, 9), st.floats(), st.sampled_from((10**400, 2**63, -(2**70), 1e308, 0.5, True, "1")))
IDENTITIES = st.one_of(
    st.integers(0, 3), st.sampled_from(("a.jpg", "b.jpg", "\ud800", "\x1b[31m", "", None, 1.5, 2**80, [], {}))
)
VALUES = st.recursive(
    st.one_of(st.none(), NUMBERS, IDENTITIES, st.text(max_size=3)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
BBOXES = st.one_of(
    st.lists(st.integers(0, 9), min_size=4, max_size=4), st.lists(NUMBERS, min_size=3, max_size=5), VALUES
)
ANNOTATIONS = st.one_of(
    st.fixed_dictionaries(
        {"image_id": IDENTITIES, "bbox": BBOXES},
        optional={"id": VALUES, "category_id": VALUES, "score": VALUES, "iscrowd": VALUES, "area": NUMBERS},
    ),
    VALUES,
)
IMAGES = st.one_of(
    st.just([{"id": 0, "file_name": "a.jpg"}, {"id": 1, "file_name": "b.jpg"}]),
    st.lists(
        st.one_of(st.fixed_dictionaries({"id": IDENTITIES}, optional={"file_name": VALUES}), IDENTITIES), max_size=4
    ),
    VALUES,
)
DATASETS = st.one_of(
    st.lists(ANNOTATIONS, max_size=4),
    st.fixed_dictionaries({"images": IMAGES, "annotations": st.one_of(st.lists(ANNOTATIONS, max_size=4), VALUES)}),
    IMAGES,
    VALUES,
)
RAW_JSON = st.sampled_from((
    "[" * 100_000, '{"a":' * 20_000, "[" * 900 + "]" * 900, "9" * 5000, "1e999999999", "-", '"\\ud800"', "NaN", "[Infinity]", "nul", '{"images":[],"images":[1]}',
    '[{"image_id": 0, "bbox": ' + "[" * 960 + "]" * 960 + "}]", '[{"image_id": 0, "id": ' + "[" * 960 + "]" * 960 + ', "bbox": [1, 1, 2, 2]}]',
))  # fmt: skip


GOOD_DATASETS = st.fixed_dictionaries({
    "images": st.just([{"id": 0, "file_name": "a.jpg"}, {"id": 1, "file_name": "b.jpg"}]),
    "annotations": st.lists(
        st.fixed_dictionaries(
            {"image_id": st.integers(0, 1), "bbox": st.lists(st.integers(0, 9), min_size=4, max_size=4)},
            optional={"id": VALUES, "category_id": VALUES, "score": VALUES, "iscrowd": VALUES},
        ),
        max_size=4,
    ),
})  # fmt: skip


@st.composite
def coco(draw):
    text = draw(
        mostly(
            GOOD_DATASETS.map(json.dumps),
            DATASETS.map(json.dumps),
            DATASETS.map(lambda value: json.dumps(value, ensure_ascii=False)),
            RAW_JSON,
        )
    )
    return text.encode(draw(ENCODINGS), "replace")


LISTS = st.lists(st.sampled_from((*ODD, "a.jpg", "b.jpg", "0", "1")), max_size=4).map("\n".join)

# --- by ending -------------------------------------------------------------------------------------------------------------------

TABLE = mostly(table(), changed(table()))
BYTES = st.binary(max_size=40)
CONTENTS = {
    ".npy": mostly(NPY, NPY, NPY, NPY, BYTES),
    ".npz": mostly(npz(), npz(), changed(npz()), NPY),
    ".csv": mostly(TABLE, TABLE, TABLE, TABLE, BYTES),
    ".tsv": TABLE,
    ".txt": mostly(TABLE, TABLE, LISTS.map(str.encode), BYTES),
    ".json": mostly(coco(), coco(), changed(coco()), BYTES),
}
ANY_CONTENT = mostly(*CONTENTS.values())


# --- files whose meaning is known -------------------------------------------------------------------------------------------------


@dataclass
class Meant:
    content: bytes
    corners: list
    images: list
    extras: dict


FINITE = st.floats(-1e6, 1e6)
WORDS = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufeff"), max_size=5).map(str.strip)
FORMS_OF_BOXES = {
    ("x1", "y1", "x2", "y2"): lambda a, b, c, d: [a, b, c, d],
    ("x", "y", "w", "h"): lambda a, b, c, d: [a, b, c + a, d + b],
    ("cx", "cy", "w", "h"): lambda a, b, c, d: [a - c / 2, b - d / 2, c + (a - c / 2), d + (b - d / 2)],
}


def quoted(draw, text, separator, decimal_comma=False):
    """A cell between quotes, if it has to be or if it likes."""
    text = text.replace(".", ",") if decimal_comma else text
    needs = any(sign in text for sign in ('"', separator, *",;\t\n\r#")) or text != text.strip() or not text
    return '"' + text.replace('"', '""') + '"' if needs or draw(st.integers(0, 9)) == 0 else text


@st.composite
def meant_tables(draw):
    """A table that means boxes of two images, in any order of columns."""
    form = draw(st.sampled_from(sorted(FORMS_OF_BOXES)))
    rows = draw(st.lists(st.tuples(FINITE, FINITE, FINITE, FINITE, st.integers(0, 1), WORDS), min_size=1, max_size=5))
    separator = draw(st.sampled_from(",;\t"))
    names = [*form, "image", "label"]
    order = draw(st.permutations(range(6)))
    cells = [[*map(repr, row[:4]), ("a.jpg", "b.jpg")[row[4]], row[5]] for row in rows]
    decimal_comma = separator == ";" and draw(st.booleans())
    lines = [[quoted(draw, names[at], separator) for at in order]]
    lines += [[quoted(draw, row[at], separator, decimal_comma and at < 4) for at in order] for row in cells]
    newline = draw(st.sampled_from(("\n", "\r\n", "\r")))
    text = newline.join(
        separator.join(line) + draw(st.sampled_from(("", "", newline, f"{newline}# {separator}"))) for line in lines
    )
    return Meant(
        (text + draw(st.sampled_from(("", newline)))).encode(draw(st.sampled_from(("utf-8", "utf-8-sig", "utf-16")))),
        [FORMS_OF_BOXES[form](*row[:4]) for row in rows],
        [row[4] for row in rows],
        {"label": [row[5] for row in rows]},
    )


@st.composite
def boxes_with_words(draw):
    """What --rows is given: boxes, and words of any signs about them, under names of any signs."""
    count = draw(st.integers(1, 4))
    rois = np.array(
        draw(
            st.lists(st.tuples(*[st.floats(allow_nan=False, allow_infinity=False)] * 4), min_size=count, max_size=count)
        )
    )
    words = st.lists(st.text(st.characters(exclude_categories=("Cs",)), max_size=6), min_size=count, max_size=count)
    names = st.sampled_from(
        ("label", "score", "a;b", "a\tb", "#7", "note, or 'word'", "été", 'in "quotes"', "own_kind", "kind")
    )
    indices = np.array(draw(st.lists(st.integers(0, 1), min_size=count, max_size=count)))
    return Boxes(
        rois, indices, None, "line", list(range(2, 2 + count)), draw(st.dictionaries(names, words, max_size=3))
    )
