import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from jax_al.errors import UsageError
from jax_al.people import audit
from jax_al.people.intervals import (
    audit_size,
    count_interval,
    share_interval,
    size_for,
    size_or_width,
    wilson,
)
from jax_al.people.preparing import audit_sentence
from jax_al.types import BROKEN, SKIP, UNSURE


@st.composite
def counts(draw, most=300):
    answered = draw(st.integers(1, most))
    return draw(st.integers(0, answered)), answered


@given(counts(5000))
def test_wilson_agrees_with_scipy(case):
    right, answered = case
    theirs = stats.binomtest(right, answered).proportion_ci(method="wilson")
    assert wilson(right, answered) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


@given(counts())
def test_only_the_inner_end_near_none_and_near_all_is_moved_and_outwards(case):
    right, answered = case
    (low, high), (wilson_low, wilson_high) = share_interval(*case), wilson(*case)
    assert low <= wilson_low <= right / answered <= wilson_high <= high
    assert low == wilson_low or right in (1, 2, 3)
    assert high == wilson_high or answered - right in (1, 2, 3)


def test_the_moved_end_is_where_so_many_come_once_in_twenty_times():
    for wrong in (1, 2, 3):
        mean = 200 * (1 - share_interval(200 - wrong, 200)[1])
        assert stats.poisson.sf(wrong - 1, mean) == pytest.approx(0.05)


def covered(ends, chances, truth):
    """How often intervals `ends` [n + 1, 2] hold each of `truth` [t], by `chances` [t, n + 1]."""
    ends, truth = np.array(ends), np.array(truth)[:, None]
    held = (ends[:, 0] <= truth + 1e-12) & (truth - 1e-12 <= ends[:, 1])
    return (chances * held).sum(axis=1)


@pytest.mark.parametrize("answered", [20, 50, 100, 200])
def test_the_interval_holds_the_truth_as_often_as_it_says(answered):
    truth, right = np.linspace(0.5, 0.9995, 1000), np.arange(answered + 1)
    chances = stats.binom.pmf(right, answered, truth[:, None])
    held = covered([share_interval(k, answered) for k in right], chances, truth)
    assert held.min() > 0.925
    assert 0.945 < held.mean() < 0.96
    plain = covered([wilson(k, answered) for k in right], chances, truth)
    assert plain.min() < 0.91  # what the moved ends are for


@pytest.mark.parametrize(("answered", "size"), [(50, 120), (100, 120), (50, 200), (100, 500)])
def test_the_interval_of_a_count_holds_it_as_often_as_it_says(answered, size):
    truth, right = np.arange(size // 2, size + 1), np.arange(answered + 1)
    chances = stats.hypergeom.pmf(right, size, truth[:, None], answered)
    held = covered([count_interval(k, answered, size) for k in right], chances, truth)
    assert held.min() > 0.915
    assert 0.945 < held.mean() < 0.965


@given(counts(60), st.integers(0, 60))
def test_a_count_is_what_the_hypergeometric_distribution_does_not_reject(case, unseen):
    right, answered = case
    size = answered + unseen
    some = np.arange(size + 1)
    here = stats.hypergeom.pmf(right, size, some, answered) / 2
    above = stats.hypergeom.sf(right, size, some, answered) + here
    below = stats.hypergeom.cdf(right - 1, size, some, answered) + here
    kept = np.flatnonzero((above > 0.025 - 1e-9) & (below > 0.025 - 1e-9))
    assert count_interval(right, answered, size) == (kept.min(), kept.max())


def test_who_has_seen_all_knows_the_count():
    assert count_interval(37, 50, 50) == (37, 37)


@pytest.mark.parametrize(("half", "share"), [(0.1, 0.5), (0.05, 0.9), (0.02, 0.99), (0.3, 0.5)])
def test_the_size_of_an_audit_is_the_smallest_whose_interval_is_so_narrow(half, share):
    size = size_for(half, share)

    def width(answered):
        low, high = wilson(share * answered, answered)
        return (high - low) / 2

    assert width(size) <= half < width(size - 1)


def test_a_hundred_labels_bring_ten_points_at_worst():
    assert size_for(0.1, 0.5) == 93  # z^2 / (4 * 0.1^2) - z^2


@pytest.mark.parametrize(
    ("text", "size"),
    [("100", 100), (7, 7), ("0", 0), (" 5% ", size_for(0.05, 0.5)), ("10%", 93), ("5%@0.9", 141)],
)
def test_an_audit_is_so_large_or_as_large_as_its_interval_wants_it(text, size):
    assert audit_size(text) == size


@pytest.mark.parametrize(
    "text",
    ["", "many", "-1", "1.5", "0%", "50%", "0.05%", "5%@0", "5%@1", "5%@90", "1.2.3%", "5%@"],
)
def test_a_size_that_cannot_be_meant_is_one_sentence(text):
    with pytest.raises(UsageError) as caught:
        size_or_width(text, "--audit")
    sentence = str(caught.value)
    assert sentence.startswith(f"--audit is {text!r}, but must be a number")
    assert sentence.count("\n") == 0


def test_what_an_audit_will_tell_is_said_and_why_it_is_smaller_than_wanted():
    assert audit_sentence(381, 381, 5000) == (
        "381 examples are held out for an audit: it will tell the accuracy to within 5.0 points at "
        "worst, 3.0 where 90% are right."
    )
    assert audit_sentence(20, 381, 100).startswith(
        "20 examples are held out for an audit in place of 381, as no more than a fifth of 100 are "
        "held out: it will tell the accuracy to within 20.1 points"
    )
    assert "no accuracy will be told" in audit_sentence(0, 100, 4)
    assert audit_sentence(1, 10, 60).startswith(
        "1 examples are held out for an audit in place of 10, as all others have a label or cannot "
    )


def test_what_people_cannot_name_is_counted_apart():
    told = {1: 0, 2: 1, 3: UNSURE, 4: SKIP, 5: BROKEN, 6: 1, 7: UNSURE}
    found = audit.accuracy({1: 0, 2: 1, 3: 0, 4: 0, 5: 0, 6: 0, 7: 1, 8: 1}, told)
    assert found[:3] == (2, 3, 2)
    assert (found.skipped, found.broken) == (1, 1)
    assert (found.low, found.high) == share_interval(2, 3)
    assert audit.accuracy({}, {}).low == 0


@pytest.mark.parametrize("size", [0, 1, 7])
def test_one_in_five_is_of_the_audit_until_it_is_done(size):
    asked = {True: 0, False: 0}
    order = []
    for _ in range(60):
        is_audit = audit.audit_is_next(asked[True], asked[False], size)
        asked[is_audit] += 1
        order.append(is_audit)
    assert sum(order) == size
    assert [k for k, is_audit in enumerate(order) if is_audit] == [5 * k + 4 for k in range(size)]


def test_what_was_answered_of_the_audit_while_it_trained_counts():
    assert not audit.audit_is_next(3, 8, 10)
    assert audit.audit_is_next(1, 8, 10)


def made(right, answered):
    return audit.accuracy(
        dict.fromkeys(range(answered), 0), {k: int(k >= right) for k in range(answered)}
    )


def test_the_share_right_in_an_export_is_the_formula_and_what_was_found_wrong_is_right_now():
    export = audit.exported(made(90, 100), told=500, unlabeled=4500)
    assert (export.told, export.predicted) == (600, 4400)
    assert export.right == pytest.approx(500 + 4500 * 0.9 + 10)
    low, high = count_interval(90, 100, 4500)
    assert (export.low, export.high) == (500 + low + 10, 500 + high + 10)
    everything = audit.exported(made(3, 5), told=7, unlabeled=5)
    assert everything == (12, 0, 12, 12, 12)
    with pytest.raises(UsageError, match="answer some"):
        audit.exported(made(0, 0), told=7, unlabeled=5)


def test_the_share_right_in_an_export_is_held():
    rng, held = np.random.default_rng(0), 0
    for _ in range(300):
        right = rng.permutation(900) < 800
        seen = rng.permutation(900)[:100]
        found = made(int(right[seen].sum()), 100)
        export = audit.exported(found, told=100, unlabeled=900)
        truth = 100 + right.sum() + (~right[seen]).sum()
        held += export.low <= truth <= export.high
    assert held >= 275


@pytest.mark.parametrize(("answered", "chance"), [(1, 0.9), (20, 0.9), (200, 0.9), (200, 0.98)])
def test_the_share_right_is_held_where_examples_have_copies_of_many_numbers(answered, chance):
    rng, held = np.random.default_rng(answered), 0
    lines = np.repeat([1, 2, 3, 4, 5, 6, 8, 10], [150, 50, 30, 20, 20, 15, 10, 5])
    for _ in range(200):
        right, looked_at = rng.random(300) < chance, np.zeros(300, bool)
        looked_at[rng.permutation(300)[:answered]] = True
        strata = [
            audit.Stratum(
                many,
                int((right & looked_at)[lines == many].sum()),
                int(looked_at[lines == many].sum()),
                int((lines == many).sum()),
            )
            for many in np.unique(lines).tolist()
        ]
        export = audit.exported_lines(strata, 0)
        held += export.low <= lines[right | looked_at].sum() <= export.high
    assert held >= 0.93 * 200


def test_each_figure_is_a_sentence_that_says_what_it_is():
    some = audit.accuracy(dict.fromkeys(range(6), 0), {0: 0, 1: 1, 2: 0, 3: 0, 4: UNSURE, 5: SKIP})
    assert audit.by_audit(some, 6) == (
        "Accuracy 75.0% (20.4% to 98.7%) by audit: 3 of 4 right; left out: 1 unsure, 1 skipped."
    )
    gone = audit.accuracy({0: 0, 1: 0}, {0: 0, 1: BROKEN})
    assert audit.by_audit(gone, 2).endswith("left out: 1 broken or gone.")
    assert "so far, 6 of 100 being answered" in audit.by_audit(some, 100)
    assert "no accuracy" in audit.by_progress(some).lower()
    assert "the strategy chose these examples" in audit.by_progress(some)
    nothing = audit.accuracy({}, {})
    assert audit.by_audit(nothing, 100).startswith("No accuracy yet")
    assert audit.by_progress(nothing).startswith("No accuracy")
    said = audit.by_check(made(90, 100), audit.exported(made(90, 100), 500, 4500))
    assert said.startswith("91.2% (")
    assert "90 of 100 right" in said
    assert "600 are by people" in said
