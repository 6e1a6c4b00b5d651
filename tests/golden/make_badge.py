"""Writes badge.npz: the distances and the sampling law of scikit-activeml's BADGE.

Run with the `bench` extra installed: python tests/golden/make_badge.py
Made with scikit-activeml 1.0.1. Its `_d_2` is called with no earlier distances (infinity) for the
distances themselves, and as its `query` does for the law, in which the squared norms (the origin
as a center) stay in the minimum.
"""

import pathlib

import numpy as np
from skactiveml.pool._badge import _d_2

rng = np.random.default_rng(0)
logits = 2 * rng.normal(size=(12, 3))
probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
features = np.maximum(rng.normal(size=(12, 5)), 0)
gradients = (probs - np.eye(3)[probs.argmax(axis=1)])[:, :, None] * features[:, None, :]
gradients = gradients.reshape(12, 15)

norms = _d_2(gradients, [])
first = int(norms.argmax())
np.savez(
    pathlib.Path(__file__).with_name("badge.npz"),
    probs=probs,
    features=features,
    first=first,
    sq_distances=_d_2(gradients, [first], np.full(12, np.inf)),
    law=_d_2(gradients, [first], norms) / _d_2(gradients, [first], norms).sum(),
)
