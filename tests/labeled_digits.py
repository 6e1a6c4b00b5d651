"""Scikit-learn's digits as a pool, and rows of it as what a fit sees."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.datasets import load_digits

from jax_al.types import NOTHING, UNKNOWN, Examples, Spec

X, Y = load_digits(return_X_y=True)
X, Y = X.astype(np.float32), Y.astype(np.int32)
SPEC = Spec((64,), np.dtype(np.float32))


class Digits:
    """The first `width` numbers of each, of the classes below `num_classes`."""

    def __init__(self, width=64, num_classes=10):
        known = num_classes > Y
        self.X, self.Y = X[known, :width], Y[known]
        self.spec, self.ids = Spec((width,), np.dtype(np.float32)), [*map(str, range(len(self.X)))]

    def __len__(self):
        return len(self.X)

    def read(self, rows):
        return self.X[rows]

    def show(self, row):
        return None

    def examples(self, rows, weights, capacity):
        """Returns the examples of `rows`, padded to `capacity`."""
        padding = capacity - len(rows)

        def padded(array, value):
            return jnp.asarray(np.pad(array, (0, padding), constant_values=value))

        return Examples(
            jnp.asarray(np.pad(self.X[rows], ((0, padding), (0, 0)))),
            padded(self.Y[rows], UNKNOWN),
            padded(weights.astype(np.float32), 0),
            padded(rows.astype(np.int32), NOTHING),
            jnp.int32(len(rows)),
        )

    def standardised(self):
        """Returns all inputs with mean 0 and deviation 1 of each column, float64."""
        wide = self.X.astype(np.float64)
        std = wide.std(axis=0)
        return (wide - wide.mean(axis=0)) / np.where(std > 0, std, 1)


def fitted(learner, examples, context, seed=0, state=None):
    """Returns the State and the Fit of a fit."""
    key = jax.random.key(seed)
    state = learner.init(key, context) if state is None else state
    training = compiled(learner.begin)(key, state, examples, context)
    for _ in range(learner.steps):
        training = compiled(learner.advance)(training, examples, context)
    return learner.finish(training)


compiled = functools.cache(jax.jit)
