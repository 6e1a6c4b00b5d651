"""Strategies asked in tests: one program for what is asked of equal shapes, pools in NumPy."""

import functools
import os

import jax
import numpy as np

from jax_al.strategies import make_strategy
from jax_al.testing import made_up
from jax_al.types import Signals

# The answer is what these tests are about, not how fast it comes: compiled in a fifth of the time.
# Where all is compiled so, options of their own would only make other entries of the cache.
QUICKLY = (
    None
    if os.environ.get("JAX_DISABLE_MOST_OPTIMIZATIONS")
    else {
        "xla_backend_optimization_level": 0,
        "xla_llvm_disable_expensive_passes": True,
        "xla_cpu_use_fusion_emitters": False,
    }
)


def pool_of(num_points, labeled=(), labels=None, excluded=(), capacity=None):
    """A pool before its first query; every label is 0 unless said."""
    rows = np.array(labeled, int)
    labels = np.zeros(len(rows), int) if labels is None else np.array(labels, int)
    room = num_points if capacity is None else capacity
    return made_up.pool_of(num_points, rows, labels, np.array(excluded, int), room)


def quickly(function, **how):
    """`function` under `jit`, which takes and answers with NumPy arrays."""
    compiled = jax.jit(function, compiler_options=QUICKLY, **how)
    return lambda *args: jax.tree.map(np.asarray, compiled(*args))


@functools.cache
def program(name, quick=True, **options):
    """`select` of a strategy under `jit`, the same for the same options.

    Where rounding is the point it is asked as it runs for users, not `quick`.
    """
    options_of_compiler = QUICKLY if quick else None
    made = make_strategy(name, **options)
    return jax.jit(made.select, static_argnums=3, compiler_options=options_of_compiler)


def ask(name, signals, pool, budget, *, key=0, quick=True, **options):
    """A query of NumPy arrays; `signals` is a dict, of which every array is made float32."""
    given = Signals(**{what: single(values) for what, values in signals.items()})
    query = program(name, quick, **options)(jax.random.key(key), given, pool, budget)
    return jax.tree.map(np.asarray, query)


def single(values):
    """As a NumPy array that jax takes as it is: float32 or int32."""
    values = np.asarray(values)
    return values.astype(np.int32 if values.dtype.kind in "iu" else np.float32)
