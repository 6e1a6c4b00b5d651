"""Which labels are doubted: dealt evenly, judged by models that have not seen them."""

import hypothesis.strategies as st
import numpy as np
from hypothesis import given

from jax_al.people.doubts import FOLDS, dealt, doubts


@given(st.lists(st.integers(0, 3), min_size=1, max_size=60), st.integers(0, 5))
def test_each_class_and_all_together_are_dealt_evenly(labels, seed):
    labels = np.array(labels)
    part = dealt(labels, seed)
    np.testing.assert_array_equal(part, dealt(labels, seed))
    for these in (part, *(part[labels == label] for label in set(labels.tolist()))):
        sizes = np.bincount(these, minlength=FOLDS)
        assert sizes.max() - sizes.min() <= 1


def counting(seen):
    """A learner that says how often each class was among what it was taught; keeps what it saw."""

    def fit_and_predict(rows, labels, others):
        assert not set(rows.tolist()) & set(others.tolist())
        seen.append((dict(zip(rows.tolist(), labels.tolist(), strict=True)), others.tolist()))
        share = np.bincount(labels, minlength=3) / len(labels)
        return np.tile(share.astype(np.float32), (len(others), 1))

    return fit_and_predict


def test_each_label_is_judged_once_by_all_the_others_parts():
    rows, labels = range(100, 123), [0] * 12 + [1] * 10 + [2]
    seen = []
    found = doubts(rows, labels, counting(seen), seed=1)
    truth = dict(zip(rows, labels, strict=True))
    assert sorted(one.row for one in found) == list(rows)[:-1]  # no other is of the last's class
    assert all(one.told == truth[one.row] for one in found)
    for taught, others in seen:
        assert taught.items() <= truth.items()
        for one in (one for one in found if one.row in others):
            share = np.bincount(list(taught.values()), minlength=3) / len(taught)
            assert one.probability == np.float32(share[one.told])
            assert (one.best, one.best_probability) == (share.argmax(), np.float32(share.max()))
    assert [(one.probability, one.row) for one in found] == sorted(
        (one.probability, one.row) for one in found
    )


def test_what_cannot_be_judged_is_left_out():
    assert doubts([], [], counting([]), seed=0) == []
    assert doubts([4, 5, 6], [1, 1, 1], counting([]), seed=0) == []
    assert doubts([4, 5], [0, 1], counting([]), seed=0) == []
    assert len(doubts([4, 5, 6, 7], [0, 0, 1, 1], counting([]), seed=0)) == 4
