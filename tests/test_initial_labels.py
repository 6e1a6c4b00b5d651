"""The initial labels of a seed, frozen: every strategy begins with them.

The numbers are those of today. A NumPy stream (`default_rng` of the seed) and the order in which
it is asked decide them: they change with either, and not with JAX, the network or the machine.
"""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from jax_al.oracles.simulated import initial_indices

TODAY = {
    ("random", 0): [
        446, 365, 289, 891, 1250, 12, 1003, 960, 350, 529,
        386, 786, 234, 530, 486, 901, 925, 1033, 1175, 641,
    ],
    ("random", 1): [
        755, 731, 1083, 693, 863, 9, 1017, 533, 618, 1196,
        1281, 330, 1135, 248, 508, 233, 874, 753, 412, 608,
    ],
    ("random", 2): [
        347, 600, 93, 1296, 456, 1050, 439, 590, 462, 770,
        527, 1276, 566, 1254, 1038, 994, 250, 1169, 1094, 686,
    ],
    ("class_balanced", 0): [
        365, 1033, 891, 446, 1003, 641, 109, 658, 1250, 530,
        786, 960, 289, 1175, 758, 198, 1173, 226, 386, 12,
    ],
    ("class_balanced", 1): [
        9, 533, 1281, 863, 618, 731, 1017, 1083, 755, 693,
        132, 369, 330, 791, 115, 248, 508, 1135, 753, 1196,
    ],
    ("class_balanced", 2): [
        600, 282, 159, 994, 250, 93, 439, 347, 1296, 462,
        1254, 1050, 1094, 77, 1065, 884, 456, 770, 764, 590,
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def labels():
    """The labels of the 1,297 digits of the pool, int32 [N]; the split is written out here too."""
    order = np.random.RandomState(1797).permutation(1797)
    return load_digits().target.astype(np.int32)[np.sort(order[500:])]


@pytest.mark.parametrize(("how", "seed"), TODAY)
def test_the_initial_labels_of_a_seed_are_those_of_today(labels, how, seed):
    chosen = initial_indices(np.random.default_rng(seed), how, labels, 20)
    assert chosen.tolist() == TODAY[how, seed]
