"""What a word of the command line is in Python."""

import ast
from typing import Any

_TRUTH = {"true": True, "false": False}


def literal(text: str) -> Any:
    """Returns what `text` is in Python, or `text`: who takes it judges it.

    true and false are as sentences and other fields have them.
    """
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return _TRUTH.get(text.lower(), text)
