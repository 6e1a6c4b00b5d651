"""Writes probcover.npz: what scikit-activeml (`pip install scikit-activeml`) calls ProbCover.

Run as `python tests/golden/make_probcover.py` with the `bench` extra installed. It breaks ties at
random, so points are drawn until no pick ties with another; clusters are well apart, so that no
clustering algorithm could differ.
"""

import pathlib

import numpy as np
import skactiveml
from skactiveml.pool import ProbCover

CLASSES, PICKS = 4, 3


def main() -> None:
    deltas = np.arange(0.25, 5, 0.25)
    for seed in range(10_000):
        rng = np.random.default_rng(seed)
        middles = np.array([[0, 0], [0, 7], [7, 0], [7, 7]])
        points = np.float32(middles[rng.integers(0, CLASSES, 150)] + rng.normal(size=(150, 2)))
        y = np.full(len(points), np.nan)
        labeled = rng.permutation(150)[:2]
        y[labeled] = 0
        strategy = ProbCover(
            n_classes=CLASSES, deltas=deltas, random_state=0, cluster_algo_dict={"n_init": 3}
        )
        picks, gains = strategy.query(points, y, batch_size=PICKS, return_utilities=True)
        gains = np.nan_to_num(gains, nan=-1)
        if all((row == row.max()).sum() == 1 for row in gains):
            break
    np.savez(
        pathlib.Path(__file__).with_name("probcover.npz"),
        points=points,
        labeled=labeled,
        picks=picks,
        radius=strategy.delta_max_,
        step=0.25,
        version=skactiveml.__version__,
    )


if __name__ == "__main__":
    main()
