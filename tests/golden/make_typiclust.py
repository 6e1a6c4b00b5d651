"""Writes typiclust.npz: what scikit-activeml (`pip install scikit-activeml`) calls TypiClust.

Run as `python tests/golden/make_typiclust.py` with the `bench` extra installed. The clusters are
given, well apart and of different sizes, so that no clustering algorithm could differ.
"""

import pathlib

import numpy as np
import skactiveml
from skactiveml.pool import TypiClust

NEIGHBORS = 5
SIZES = (40, 34, 29, 23, 17, 12, 9)


def main() -> None:
    rng = np.random.default_rng(0)
    cluster = np.repeat(np.arange(len(SIZES)), SIZES)
    points = rng.normal(size=(len(SIZES), 6)) * 40
    points = np.float32(points[cluster] + rng.normal(size=(sum(SIZES), 6)))
    shuffled = rng.permutation(len(points))
    points, cluster = points[shuffled], cluster[shuffled]
    # One label in the second largest cluster, two in the fourth.
    labeled = np.concatenate([np.flatnonzero(cluster == 1)[:1], np.flatnonzero(cluster == 3)[:2]])
    y = np.full(len(points), np.nan)
    y[labeled] = 0
    # Seven clusters for three labels and four picks; five of them hold no label.
    strategy = TypiClust(random_state=0, k=NEIGHBORS, cluster_algo_dict={"n_init": 10})
    picks = strategy.query(points, y, batch_size=4)
    np.savez(
        pathlib.Path(__file__).with_name("typiclust.npz"),
        points=points,
        labeled=labeled,
        picks=picks,
        version=skactiveml.__version__,
    )


if __name__ == "__main__":
    main()
