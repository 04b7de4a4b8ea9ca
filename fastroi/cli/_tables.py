"""Boxes from tables: values between commas, semicolons, tabs or spaces, with or without names of the columns."""

from __future__ import annotations

import csv
import io
import re

import numpy

from ._arguments import to_float
from ._boxes import Boxes
from ._columns import CORNERS, Columns, as_corners, check_one_reading, named, unnamed
from ._errors import UsageError, shown
from ._images import Images

ENDINGS = (".csv", ".tsv", ".txt")
_END = "end of the table"


def read_table(content, path, images: Images, operator, xywh=False, columns=None) -> Boxes:
    """Read the boxes of a table, as x1 y1 x2 y2 or cx cy w h angle.

    Parameters
    ----------
    content : bytes
        The text.
    path : str
        Where it comes from.
    images : Images
        Those that the features hold.
    operator : Operator
        What the boxes are for.
    xywh : bool
        A table without names has x, y, width, height.
    columns : list of str, optional
        The names of the columns, whatever the table says.

    Raises
    ------
    ValueError
        They are no boxes; the message names file and line.
    """
    rows, separator, comment = _rows(content, path)
    header = _header(rows, separator, columns) or _commented(rows, comment, operator)
    _check_widths(rows, header, path)
    table = _Table(path, rows, separator == ";")
    if not rows and not header:
        return Boxes(numpy.empty((0, operator.coordinates)), source="line", numbers=[])
    notes = []
    if header:
        found = _named(header, path, operator, columns is not None)
        if xywh and found.form == CORNERS:
            raise ValueError(f"{shown(path)}: --xywh was given, but the header says x1, y1, x2, y2")
        if found.unknown():
            notes.append(f"{shown(path)}: columns not read: {', '.join(found.unknown())}")
    else:
        found = _unnamed(table, images, operator, xywh)
        if found.positions:
            first = "mask" if operator.masks else "batch"
            notes.append(f"{shown(path)}: no names of columns, taken as {','.join((first, *found.form))}")
    return _boxes(table, found, header, images, notes)


def _boxes(table, found, header, images, notes):
    rois = as_corners(table.numbers(found.numbers), found.form)
    names, indices = _names(table, found, header), None
    if found.positions:
        rois = numpy.concatenate([table.numbers(found.positions[:1]), rois], axis=1)
    elif names is not None:
        indices, note = images.locate(names, table.path, table.place)
        names = [own[0] for own in names]
        notes = [*notes, note] if note else notes
    extras = {name: [row[at].strip() for _, row in table.rows] for name, at in found.extras.items()}
    return Boxes(rois, indices, names, "line", [line for line, _ in table.rows], extras, notes)


def _check_widths(rows, header, path):
    if not rows:
        return
    width = len(header or rows[0][1])
    told = f"{width} are named" if header else f"the first row has {width}"
    for line, row in rows:
        if len(row) != width:
            raise ValueError(f"{shown(path)}: line {line}: {len(row)} columns, but {told}")


class _Table:
    """Rows of text, read as numbers by column."""

    def __init__(self, path, rows, decimal_commas):
        self.path, self.rows, self.decimal_commas = path, rows, decimal_commas

    def numbers(self, columns):
        parsed = [[self.number(line, row[at]) for at in columns] for line, row in self.rows]
        return numpy.array(parsed, dtype=numpy.float64).reshape(len(parsed), len(columns))

    def number(self, line, text):
        value = _number(text, self.decimal_commas)
        if value is None:
            raise ValueError(f"{shown(self.path)}: line {line}: {text!r} is not a number")
        return value

    def texts(self, at):
        return [_as_name(row[at]) for _, row in self.rows]

    def place(self, row):
        return f"line {self.rows[row][0]}"


def _rows(content, path):
    """Lines with a value each, their separator, and the comment before the first."""
    lines, first, comment = list(io.StringIO(_text(content, path), newline="")), "", None
    for line in lines:
        if not _is_comment(line):
            first = line.strip(" \r\n")
        elif not first:
            comment = line.strip().lstrip("#")
        if first:
            break
    unquoted = re.sub(r'"[^"]*"', "", first)
    separator = next((mark for mark in "\t;," if mark in unquoted), None)
    if separator is None:
        rows = [(number, line.split()) for number, line in enumerate(lines, 1) if not _is_comment(line)]
    else:
        rows = list(_parsed(lines, separator, path))
    return [(number, row) for number, row in rows if any(map(str.strip, row))], separator, comment


def _is_comment(line) -> bool:
    return line.lstrip().startswith("#")


def _text(content, path) -> str:
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"{shown(path)}: line {line}: byte 0x{content[error.start]:02x} is not {encoding[:5]}"
        ) from None


def _parsed(lines, separator, path):
    in_row, last = False, 0

    def uncommented():
        nonlocal in_row
        # The reader says nothing of a quote that is open at the end: a line after the last one then ends up inside a cell.
        for line in (*_ended(lines), _END):
            text = "\n" if _is_comment(line) and not in_row else line
            in_row = True
            yield text

    reader = csv.reader(uncommented(), delimiter=separator, skipinitialspace=True)
    try:
        for row in reader:
            in_row = False
            if row == [_END]:
                return
            _check_quotes(row, last + 1, separator, path)
            yield reader.line_num, row
            last = reader.line_num
    except csv.Error as error:
        raise ValueError(f"{shown(path)}: after line {reader.line_num}: {error}") from None


def _ended(lines):
    return [*lines[:-1], lines[-1].rstrip("\r\n") + "\n"]


def _check_quotes(row, line, separator, path):
    """Refuse a cell that runs to the end of the table, or over a line that has all columns of a row itself."""
    for cell in row:
        _, *further = re.split(r"\r\n|\r|\n", cell)
        if further and further[-1] == _END:
            raise ValueError(f"{shown(path)}: line {line}: a quote is opened and never closed")
        if any(part.count(separator) >= len(row) - 1 > 0 for part in further):
            raise ValueError(f"{shown(path)}: line {line}: a quote is opened that runs over the rows after it")
        line += len(further)


def _header(rows, separator, columns):
    """The names of the columns, taken off the rows if they stand there; None without names."""
    texts = [text for text in rows[0][1] if _number(text, separator == ";") is None] if rows else []
    if columns is not None:
        if texts and len(texts) == len(rows[0][1]):
            rows.pop(0)
        return columns
    return rows.pop(0)[1] if texts else None


def _commented(rows, comment, operator):
    """Names that stand in the comment over the first row, as numpy.savetxt writes them."""
    names = re.split(r"[\s,;]+", comment.strip()) if comment else []
    if not rows or len(names) != len(rows[0][1]):
        return None
    try:
        named(names, operator.coordinates, operator.masks)
    except ValueError:
        return None
    return names


def _named(header, path, operator, given) -> Columns:
    try:
        return named(header, operator.coordinates, operator.masks)
    except ValueError as error:
        unlike = "; a table without names needs numbers only, or --columns" if any(map(_is_number, header)) else ""
        if given:
            raise UsageError(f"argument --columns: {error}") from None
        raise ValueError(f"{shown(path)}: the header {error}{unlike}") from None


def _unnamed(table, images, operator, xywh):
    """The columns of a table without names, if their number and values leave one reading only."""
    line, row = table.rows[0]
    coordinates = operator.coordinates
    if len(row) == coordinates:
        return unnamed(coordinates, xywh, False)
    hint = "--columns names them, e.g. --columns x1,y1,x2,y2,score"
    if len(row) != coordinates + 1:
        expected = f"expected {coordinates} or {coordinates + 1} columns without a header, found {len(row)}"
        raise ValueError(f"{shown(table.path)}: line {line}: {expected}; {hint}")
    values = table.numbers(range(coordinates + 1))
    first = values[:, 0]
    wrong = (first != numpy.floor(first)) | (first < 0) | (first >= images.count)
    if wrong.any():
        at = int(wrong.argmax())
        unlike = (
            f"the first of {len(row)} columns without a header is {first[at]:g}, not one of 0 to {images.count - 1}"
        )
        raise ValueError(f"{shown(table.path)}: {table.place(at)}: {unlike}; {hint}")
    check_one_reading(values, table.path, operator, xywh)
    return unnamed(coordinates, xywh, True)


def _names(table, found, header):
    """What the columns of images call the image of each box, None if there is no such column."""
    columns = found.positions + found.images
    if not columns:
        return None
    names = [table.texts(at) for at in columns]
    for at, other in zip(columns[1:], names[1:]):
        _check_one_name(table, names[0], other, (header[columns[0]], header[at]))
    return list(zip(*names))


def _check_one_name(table, names, others, titles):
    """Refuse images of one name in one column and two in another."""
    seen = {}
    for row, (name, second) in enumerate(zip(names, others)):
        before = seen.setdefault(name, (second, row))
        if before[0] != second:
            first = f"{table.place(before[1])} has {titles[0]} {name} with {titles[1]} {before[0]}"
            raise ValueError(f"{shown(table.path)}: {first}, {table.place(row)} with {second}")


def _as_name(text) -> str:
    """The text of a cell as an image's name: whole numbers without a fraction."""
    text = text.strip()
    value = None if text.isdigit() else _number(text)
    return str(int(value)) if value is not None and abs(value) < 2**53 and value == int(value) else text


def _number(text, decimal_commas=False):
    if decimal_commas and "." not in text and text.count(",") == 1:
        text = text.replace(",", ".")
    try:
        return to_float(text)
    except ValueError:
        return None


def _is_number(text) -> bool:
    return _number(text) is not None
