"""What rounding does to a score decides nothing: not the size of blocks, not columns of zeros.

Sums come out otherwise by an ulp when rows are looked at in blocks of another size or stand beside
columns of zeros, and on another machine: so exact ties must not be decided by such sums.
"""

import importlib

import asking
import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from jax_al.geometry.rounding import coarse
from jax_al.strategies import make_strategy
from jax_al.strategies.table import STRATEGIES
from jax_al.testing import made_up
from jax_al.types import Signals

N, C, BUDGET = 60, 3, 5
ROOMS = {  # the sizes of blocks
    "jax_al.geometry.clustering": ("ROWS", 7),
    "jax_al.strategies.probcover": ("ROWS", 7),
    "jax_al.strategies.members": ("WITHIN", 5),
    "jax_al.strategies.bait": ("CHUNK", 11),
}
# The classifier of `discriminative` draws its first weights, and so depends on their number, as the
# masks of `dropquery` do. The logistic regression of the others is solved to four digits, not to
# the last.
BY_WEIGHTS = {"discriminative", "dropquery", "atlas", "active_transfer"}
NAMES = [
    name
    for name, make in sorted(STRATEGIES.items())
    if make().needs & {"embedding", "head_inputs"} and name not in BY_WEIGHTS
]


rounded = jax.jit(coarse)
COLUMNS = 10


def grid(rng):
    return np.pad(rng.integers(-1, 2, size=(N, 3)), ((0, 0), (0, COLUMNS - 3)))


def four_times(rng):
    return np.repeat(rng.normal(size=(N // 4, COLUMNS)), 4, axis=0)


def axes(rng):
    del rng
    return np.concatenate([scale * np.eye(COLUMNS) for scale in (3, -3, 2, -2, 1, -1)])


def program(made, more):
    """Answers to two keys on points with `more` columns of zeros; one program for all points."""

    def select(key, signals, pool):
        return made.select(key, signals, pool, BUDGET).indices

    select = select if made.on_host else jax.jit(select, compiler_options=asking.QUICKLY)
    pool = made_up.pool_of(N, np.array([3, 17, 40]), np.arange(3), np.array([5, 50]), N)

    def ask(points):
        rng = np.random.default_rng(1)
        logits = rng.integers(-1, 2, size=(N, C)).astype(np.float64)
        log_probs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        head = rng.integers(-1, 2, size=(points.shape[1], C))
        head = np.pad(head, ((0, more + 1), (0, 0))).astype(np.float32)  # and no bias
        points = np.pad(points, ((0, 0), (0, more))).astype(np.float32)
        given = {
            "embedding": points,
            "head_inputs": np.maximum(points, 0),
            "log_probs": log_probs.astype(np.float32),
            "head": head,
        }
        signals = Signals(**{need: given[need] for need in made.needs})
        keys = (jax.random.key(0), jax.random.key(1))
        return [np.asarray(select(key, signals, pool)).tolist() for key in keys]

    return ask


@pytest.mark.parametrize("name", NAMES)
def test_neither_blocks_nor_zeros_change_a_pick(name, monkeypatch):
    made = make_strategy(name)
    plain, wider_in_blocks = program(made, 0), program(made, 29)
    pools = [make(np.random.default_rng(0)) for make in (grid, four_times, axes)]
    expected = [plain(points) for points in pools]
    for module, (constant, size) in ROOMS.items():
        monkeypatch.setattr(importlib.import_module(module), constant, size)
    assert [wider_in_blocks(points) for points in pools] == expected


@given(hnp.arrays(np.float32, 20, elements=st.floats(2**-100, 2**100, width=32)), st.booleans())
def test_coarse_numbers_have_fifteen_binary_digits_and_are_the_nearest(numbers, is_negative):
    numbers = -numbers if is_negative else numbers
    fraction, exponent = np.frexp(numbers.astype(np.float64))
    expected = np.ldexp(np.round(fraction * 2**15), exponent - 15)
    np.testing.assert_array_equal(rounded(numbers), expected)
