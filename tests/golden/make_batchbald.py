"""Writes batchbald.npz: what batchbald_redux picks, and the scores it gives, with exact joints.

Run with batchbald_redux 2.0.5 installed: python tests/golden/make_batchbald.py
"""

import pathlib

import numpy as np
import torch
from batchbald_redux.batchbald import get_batchbald_batch

N, T, C, Q = 30, 6, 3, 6
logits = 2 * np.random.default_rng(0).normal(size=(N, T, C))
log_probs = torch.log_softmax(torch.tensor(logits), dim=2)
batch = get_batchbald_batch(log_probs, Q, num_samples=C**Q, dtype=torch.double)
np.savez(
    pathlib.Path(__file__).with_name("batchbald.npz"),
    probs=np.moveaxis(log_probs.exp().numpy(), 1, 0),
    indices=batch.indices,
    scores=batch.scores,
)
