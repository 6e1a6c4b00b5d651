"""How numbers are written, in tables, labels and sentences."""

import math
from collections.abc import Sequence

DASH = "\N{EN DASH}"  # where there is no number
MINUS = "\N{MINUS SIGN}"


def number(value: float) -> str:
    """Returns 0.312 or 1,234.5."""
    if math.isnan(value):
        return DASH
    return (f"{value:.3f}" if abs(value) < 10 else f"{value:,.1f}").replace("-", MINUS)


def signed(value: float) -> str:
    """Returns +0.012."""
    return DASH if math.isnan(value) else f"{value:+.3f}".replace("-", MINUS)


def between(low: float, high: float, *, sign: bool = False) -> str:
    """Returns 0.1 to 0.2; a dash where there is no interval."""
    form = signed if sign else number
    return DASH if math.isnan(low) else f"{form(low)} to {form(high)}"


def p_value(p: float) -> str:
    """Returns 0.012 or < 0.001."""
    return "not tested" if math.isnan(p) else "< 0.001" if p < 0.001 else f"{p:.3f}"


def listed(texts: Sequence[str], most: int, separator: str = ", ") -> str:
    """Returns a, b, c and 5 more."""
    rest = len(texts) - most
    if rest < 2:  # for one more there is as much room as for saying that there is one
        return separator.join(texts)
    return f"{separator.join(texts[:most])} and {rest} more"


def seeds(count: int) -> str:
    """Returns 1 seed, 2 seeds."""
    return f"{count} seed{'' if count == 1 else 's'}"
