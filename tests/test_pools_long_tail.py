"""A long tail: the profile of Cui et al. 2019, the same rows for ever, one tail inside another."""

import numpy as np
import pytest

import jax_al as al
from jax_al.errors import UsageError
from jax_al.pools.long_tail import long_tail_rows

LABELS = np.random.default_rng(0).permutation(np.repeat(np.arange(10), 5_000))


def counts(imbalance, labels=LABELS, num_classes=10):
    rows = long_tail_rows(labels, num_classes, imbalance)
    assert (np.diff(rows) > 0).all()
    return np.bincount(labels[rows], minlength=num_classes).tolist()


@pytest.mark.parametrize(
    ("imbalance", "expected"),
    [  # as the lists in the data loaders of papers on long tails
        (100, [5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50]),
        (50, [5000, 3237, 2096, 1357, 878, 568, 368, 238, 154, 100]),
        (10, [5000, 3871, 2997, 2320, 1796, 1391, 1077, 834, 645, 500]),
        (1, [5000] * 10),
    ],
)
def test_classes_fall_off_as_in_the_long_tailed_cifar(imbalance, expected):
    assert counts(imbalance) == expected


def test_a_longer_tail_lies_inside_a_shorter_one():
    long, short = (set(long_tail_rows(LABELS, 10, x).tolist()) for x in (100, 10))
    assert long < short


def test_a_class_that_has_fewer_keeps_them_and_each_keeps_one():
    labels = np.array([0] * 90 + [1] * 2 + [2] * 8)
    assert counts(1, labels, 3) == [33, 2, 8]
    assert counts(1000, labels, 3) == [33, 1, 1]
    assert counts(2.5, labels[:90], 1) == [90]


def test_the_pool_has_a_tail_and_the_test_set_none():
    whole = al.benchmark("digits")
    tail = al.benchmark("digits", imbalance=10)
    kept = np.bincount(tail.truth)
    assert kept[0] == max(kept)
    assert kept[-1] == 12
    assert len(tail.test) == len(whole.test)
    place = {id: row for row, id in enumerate(whole.pool.ids)}
    rows = [place[id] for id in tail.pool.ids]
    np.testing.assert_array_equal(whole.truth[rows], tail.truth)
    np.testing.assert_array_equal(whole.pool.read(np.array(rows)), tail.pool.read(slice(None)))
    smaller = al.benchmark("digits", imbalance=10, pool_size=50)
    assert set(smaller.pool.ids) < set(tail.pool.ids)


@pytest.mark.parametrize("bad", [0.5, -1, float("nan"), float("inf"), True, "2"])
def test_what_is_no_imbalance_is_a_sentence(bad):
    with pytest.raises(UsageError, match=r"^imbalance is .*, but must be a number, at least"):
        al.benchmark("digits", imbalance=bad)


def test_a_tail_of_unknown_labels_is_refused(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((9, 2), np.float32))
    with pytest.raises(UsageError, match=r"the labels of this pool are not known"):
        al.benchmark(str(tmp_path / "x.npy"), imbalance=2)
