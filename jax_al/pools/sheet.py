"""Tables with a column id, as spreadsheets save them: encodings, separators, guarded ids.

A spreadsheet takes a cell that begins with = + - @ for a formula, which a file's name must not
become, and rewrites what looks like a number or a date: 007 comes back as 7. So such ids are
written with an apostrophe in front, which is taken off when they are read.
"""

import codecs
import csv
import io
import re
from collections.abc import Collection, Sequence

from jax_al.errors import UsageError

WANTED = ("id", "label")
_DELIMITERS = (",", ";", "\t")
_FORMULA = re.compile(r"['=+\-@\t\r]")
_NUMERAL = re.compile(r"[\d.,:/eE+\- ]+")
_STAYS = re.compile(r"0|[1-9]\d{0,14}")  # a numeral that comes back as it was


def text_of(content: bytes, name: str) -> str:
    """Returns the text of a file: of UTF-8 or UTF-16, with or without a mark in front.

    Args:
      content: of the file.
      name: of the file, for the sentence.

    Raises:
      UsageError: it is no text, or in another encoding.
    """
    if content.startswith(b"PK\x03\x04"):
        raise UsageError(f"{name} is a workbook or an archive: save the sheet as CSV (UTF-8).")
    try:
        text = content.decode(_encoding(content))
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{name} is not text as UTF-8 or UTF-16: save it as CSV (UTF-8)."
        ) from error
    if "\0" in text:
        raise UsageError(f"{name} is not text: save it as CSV (UTF-8).")
    return text


def delimiter_of(text: str, wanted: Sequence[str] = WANTED) -> str:
    """Returns by what cells are separated: that with which the columns `wanted` are there."""
    return next((one for one in _DELIMITERS if set(wanted) <= set(_header(text, one))), ",")


def columns_of(cells: Sequence[str], name: str, once: Sequence[str] = WANTED) -> list[str]:
    """Returns the names of the columns by the first line of a file, in lower case.

    Args:
      cells: of that line.
      name: of the file, for the sentence.
      once: names of which there may be one column each.

    Raises:
      UsageError: a column is missing, or there twice.
    """
    header = [cell.strip().lower() for cell in cells]
    missing = [column for column in WANTED if column not in header]
    if missing:
        has = ", ".join(header) or "none"
        raise UsageError(f"{name} must have the columns id and label, and has {has}.")
    twice = [column for column in once if header.count(column) > 1]
    if twice:
        raise UsageError(f"{name} has two columns {twice[0]}: remove one of them.")
    return header


def guarded(id: str) -> str:
    """Returns an id as a cell that a spreadsheet leaves alone."""
    is_numeral = _NUMERAL.fullmatch(id) and not _STAYS.fullmatch(id)
    return f"'{id}" if is_numeral else no_formula(id)


def no_formula(cell: str) -> str:
    """Returns a cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def plain(cell: str, ids: Collection[str]) -> str:
    """Returns the id that a cell holds; one with an apostrophe that was typed is left as it is."""
    bare = cell[1:]
    return bare if cell[:1] == "'" and guarded(bare) == cell and bare in ids else cell


def _encoding(content: bytes) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    # The first line begins with the name of a column, mostly `id`, whose letters are ASCII.
    if content[:1] == b"\0":
        return "utf-16-be"
    return "utf-16-le" if content[1:2] == b"\0" else "utf-8-sig"


def _header(text: str, delimiter: str) -> list[str]:
    """Returns the names of the columns, were they separated by `delimiter`."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        return [cell.strip().lower() for cell in next(filter(any, reader), [])]
    except csv.Error:
        return []
