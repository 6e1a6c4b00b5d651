"""Fonts for names in any script: the one that matplotlib brings has no CJK letters."""

import functools

from matplotlib import font_manager, ft2font

OWN = "DejaVu Sans"  # comes with matplotlib


def families(text: str) -> list[str] | None:
    """Returns fonts of this machine that together have all letters of `text`, None without such."""
    missing = {ord(letter) for letter in text} - _letters(font_manager.findfont(OWN))
    found = [OWN]
    for font in font_manager.fontManager.ttflist if missing else ():
        if font.name.startswith("Last Resort"):  # has a box for every letter there is
            continue
        if font.name not in found and missing & _letters(font.fname):
            found.append(font.name)
            missing -= _letters(font.fname)
    return None if missing else found


@functools.cache
def _letters(path: str) -> frozenset[int]:
    try:
        return frozenset(ft2font.FT2Font(path).get_charmap())
    except (OSError, RuntimeError):  # a font of a kind that matplotlib cannot read
        return frozenset()
