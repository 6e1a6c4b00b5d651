"""Arrays that somebody has at hand, checked: what a strategy is asked with from outside a run."""

import operator
from collections.abc import Iterable
from typing import Any

import jax.numpy as jnp
import numpy as np

from jax_al.errors import UsageError, did_you_mean
from jax_al.geometry.kcenter.points import LARGEST
from jax_al.geometry.kcenter.rows import name_rows
from jax_al.outside import check_not_masked
from jax_al.strategies.numbers import UNBOUNDED
from jax_al.types import NOT_OF_POINTS, Signals

LEEWAY = 0.05  # of a sum of probabilities: half-precision ones are taken too

# Axes and meaning of each signal.
MEANINGS = {
    "embedding": ("N D", "what distances are taken between"),
    "head_inputs": ("N F", "the input of the last layer"),
    "log_probs": ("N C", "logarithms of class probabilities"),
    "mc_probs": ("N C", "probabilities averaged over stochastic draws"),
    "mc_mean_entropy": ("N", "mean entropy of the draws in nats"),
    "mc_std": ("N C", "standard deviation of the draws' probabilities"),
    "mc_votes": ("N C", "share of draws whose top class it is"),
    "sampled_probs": ("T N C", "the probabilities of every draw"),
    "true_labels": ("N", "the true classes"),
    "head": ("F+1 C", "the last layer: what head inputs are multiplied with, then the bias"),
}
SUMS_TO_ONE = {"mc_probs", "mc_votes", "sampled_probs"}


def as_signals(given: dict[str, Any], others: Iterable[str]) -> dict[str, np.ndarray]:
    """Returns the signals that are given, with the dtypes of `Signals`; shapes are looked at.

    Args:
      given: what was called a signal.
      others: names of the other arguments, one of which may have been meant.

    Raises:
      UsageError: an unknown name, masked values, or what is no array of numbers with these axes.
    """
    found = {}
    for name, value in given.items():
        if name not in Signals._fields:
            names = {*Signals._fields, *others}
            raise UsageError(f"{name!r} is no argument of select: {did_you_mean(name, names)}")
        if value is None:
            continue
        check_not_masked(f"The values of {name}", value)
        values, wanted = np.asarray(value), described(name)
        kind = jnp.integer if name == "true_labels" else jnp.number
        if not jnp.issubdtype(values.dtype, kind) or jnp.issubdtype(
            values.dtype, jnp.complexfloating
        ):
            raise UsageError(f"{name} holds {values.dtype}; it must be {wanted}.")
        axes = MEANINGS[name][0].split()
        if values.ndim != len(axes) or 0 in values.shape:
            raise UsageError(f"{name} has shape {list(values.shape)}; it must be {wanted}.")
        if axes[-1] == "C" and values.shape[-1] < 2:
            raise UsageError(f"{name} has 1 class; there must be 2 or more.")
        with np.errstate(over="ignore"):
            found[name] = values.astype(np.int32 if name == "true_labels" else np.float32)
    return found


def described(name: str) -> str:
    """Returns what the signal `name` is, in words."""
    axes, meaning = MEANINGS[name]
    dtype = "int32" if name == "true_labels" else "float32"
    return f"{dtype} [{', '.join(axes.split())}], {meaning}"


def count_points(
    signals: dict[str, np.ndarray], masks: dict[str, Any], num_points: int | None
) -> int:
    """Returns N, on which all that tells it must agree: signals, boolean masks, `num_points`.

    Raises:
      UsageError: they disagree, on N, the number of classes or of head inputs, or nothing tells N.
    """
    axes = {name: MEANINGS[name][0].split() for name in signals}
    points = {
        name: values.shape[axes[name].index("N")]
        for name, values in signals.items()
        if name not in NOT_OF_POINTS
    }
    classes = {
        name: values.shape[axes[name].index("C")]
        for name, values in signals.items()
        if "C" in axes[name]
    }
    for name, mask in masks.items():
        if is_mask(mask):
            points[name] = np.asarray(mask).size
    if num_points is not None:
        points["num_points"] = whole("num_points", num_points, 1)
    widths = {}
    if {"head", "head_inputs"} <= signals.keys():
        widths["head_inputs"] = signals["head_inputs"].shape[1]
        widths["head, but for its last row, the bias,"] = len(signals["head"]) - 1
    for what, counts in (("points", points), ("classes", classes), ("numbers", widths)):
        (first, count), *rest = [*counts.items()] or [("", 0)]
        for name, other in rest:
            if other != count:
                raise UsageError(
                    f"{first} is for {count} {what} and {name} for {other}; "
                    "all must be for the same."
                )
    if not points:
        raise UsageError("Nothing tells how many points there are; give num_points.")
    return next(iter(points.values()))


def is_mask(rows: Any) -> bool:
    """Whether `rows` is a vector of truth values, one a point."""
    return rows is not None and np.asarray(rows).dtype == bool


def as_labels(labels: Any, num_labeled: int, num_classes: int | None) -> np.ndarray:
    """Returns labels int32 [L].

    Raises:
      UsageError: they are not whole numbers, one a labeled row, from 0 to below C if that is known.
    """
    values = np.asarray(labels)
    if values.shape != (num_labeled,):
        raise UsageError(
            f"labels has shape {list(values.shape)}; it must be [{num_labeled}], one for each of "
            "the labeled rows, in their order."
        )
    if values.size and not np.issubdtype(values.dtype, np.integer):
        raise UsageError(f"labels holds {values.dtype}; it must be whole numbers.")
    most = 2**31 if num_classes is None else num_classes
    wrong = values[(values < 0) | (values >= most)]
    if wrong.size:
        raise UsageError(
            f"labels holds {wrong[0]}; classes are numbered from 0"
            + (f" to {num_classes - 1}." if num_classes is not None else ".")
        )
    return values.astype(np.int32)


def check_values(
    name: str, values: np.ndarray, excluded: np.ndarray, num_classes: int | None = None
) -> None:
    """Holds the rows of a signal that are not excluded (bool [N]) to what it means.

    True labels are below C = `num_classes`, if that is known.

    Raises:
      UsageError: they hold NaN, infinity or what is no probability; rows are named.
    """
    if name in NOT_OF_POINTS:
        excluded = np.zeros(len(values), bool)
    rows = np.moveaxis(values, 1, 0) if name == "sampled_probs" else values
    rows = rows.reshape(len(excluded), -1)

    def refuse(bad: Any, reason: str) -> None:
        named = np.flatnonzero(bad & ~excluded)
        if named.size:
            raise UsageError(f"{name} {reason} in {name_rows(named.tolist())}.")

    if name == "true_labels":
        refuse((rows < 0).any(axis=1), "holds a negative number")
        if num_classes is not None:
            beyond = (rows >= num_classes).any(axis=1)
            refuse(beyond, f"holds what is no class from 0 to {num_classes - 1}")
        return None
    if name in UNBOUNDED:
        bad = ~(np.abs(rows) <= LARGEST)
        return refuse(bad.any(axis=1), f"holds NaN, infinity or a number beyond {LARGEST:g}")
    if name == "log_probs":
        refuse((np.isnan(rows) | (rows == np.inf)).any(axis=1), "holds NaN or infinity")
        refuse(
            (rows > LEEWAY).any(axis=1), "holds what is above 0, so no logarithm of a probability,"
        )
        with np.errstate(over="ignore"):
            sums = np.exp(rows).sum(axis=1)
        return refuse(np.abs(sums - 1) > LEEWAY, "holds what does not add up to a probability of 1")
    refuse(~np.isfinite(rows).all(axis=1), "holds NaN or infinity")
    refuse((rows < -1e-5).any(axis=1), "holds a negative number")
    if name in SUMS_TO_ONE:
        off = np.abs(values.sum(axis=-1) - 1) > LEEWAY
        refuse(off.any(axis=0) if off.ndim == 2 else off, "holds what does not add up to 1")
    return None


def whole(name: str, value: Any, least: int) -> int:
    """Returns a whole number of Python or NumPy as an int.

    Raises:
      UsageError: it is not one, from `least` to 2^31 - 1.
    """
    try:
        if isinstance(value, bool | np.bool_):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise UsageError(f"{name} is {value!r}; it must be a whole number.") from None
    if not least <= number < 2**31:
        raise UsageError(f"{name} is {number}; it must be from {least} to {2**31 - 1}.")
    return number
