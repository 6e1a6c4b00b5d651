import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from jax_al import statistics as stat

SCORES = st.floats(0, 1)


def curve(table, counts=(10, 20, 40), seeds=None):
    """{seed: {count: score}} of a table [S, L]."""
    seeds = range(len(table)) if seeds is None else seeds
    return {
        s: dict(zip(counts, map(float, row), strict=True))
        for s, row in zip(seeds, table, strict=True)
    }


def normal_curves(num_seeds, num_counts=6, **shift):
    """Curves of seeds that start together; `shift` is what a strategy adds after the start."""
    rng = np.random.default_rng(7)
    counts = [10 * (k + 1) for k in range(num_counts)]
    curves = {}
    start = rng.normal(0.3, 0.01, num_seeds)
    for name, by in shift.items():
        table = 0.5 + by + rng.normal(0, 0.01, (num_seeds, num_counts))
        table[:, 0] = start
        curves[name] = curve(table, counts)
    return curves


# --- area ---------------------------------------------------------------------------------------


def test_the_area_is_the_trapezoid_rule_at_unequal_spacing():
    # (0.2 + 0.4) / 2 * 10 + (0.4 + 0.6) / 2 * 20 = 13, over 30 labels
    assert stat.area([10, 20, 40], [0.2, 0.4, 0.6], 10, 40) == pytest.approx(13 / 30)
    assert stat.area([10, 20, 40], [0.2, 0.4, 0.6], 15, 30) == pytest.approx(
        ((0.3 + 0.4) / 2 * 5 + (0.4 + 0.5) / 2 * 10) / 15
    )


@given(st.lists(st.tuples(st.integers(1, 1000), SCORES), min_size=2, unique_by=lambda p: p[0]))
def test_the_area_lies_between_the_worst_and_the_best_score(points):
    counts, scores = zip(*sorted(points), strict=True)
    value = stat.area(counts, scores, counts[0], counts[-1])
    assert min(scores) - 1e-9 <= value <= max(scores) + 1e-9


def test_a_curve_that_ends_early_has_no_area_and_its_seed_is_left_out():
    assert math.isnan(stat.area([10, 20], [0.1, 0.2], 10, 40))
    assert math.isnan(stat.area([10], [0.1], 10, 10))
    assert math.isnan(stat.area([], [], 0, 1))
    both = {0: {10: 0.1, 40: 0.3}, 1: {10: 0.1}}
    assert stat.areas(both, 10, 40) == {0: pytest.approx(0.2)}


def test_the_shared_range_is_what_every_strategy_has_reached():
    one, other, begun = {0: {10: 0.1, 40: 0.2}}, {0: {20: 0.1}, 1: {50: 0.2}}, {0: {10: 0.1}}
    assert stat.shared_range([one, other, begun]) == (20, 40)
    assert stat.shared_range([one, {0: {40: 0, 50: 0}}]) is None
    assert stat.shared_range([begun]) is None
    assert stat.shared_range([]) is None


# --- intervals ----------------------------------------------------------------------------------


@pytest.mark.parametrize("num_seeds", [2, 3, 4, 5, 10])
def test_the_interval_covers_the_mean_as_often_as_it_says(num_seeds):
    values = np.random.default_rng(0).normal(0.5, 0.1, (10_000, num_seeds))
    intervals = [stat.mean_interval(row) for row in values]
    hits = np.mean([interval.low <= 0.5 <= interval.high for interval in intervals])
    assert 0.94 <= hits <= 0.96


@pytest.mark.parametrize(("num_seeds", "comparisons"), [(2, 1), (3, 1), (5, 1), (5, 20), (10, 4)])
def test_a_detectable_difference_is_found_four_times_in_five(num_seeds, comparisons):
    rng = np.random.default_rng(1)
    # An interval as wide as the true spread makes it.
    half = stats.t.ppf(0.975, num_seeds - 1) * 0.02 / math.sqrt(num_seeds)
    size = stat.detectable(stat.Interval(0.0, -half, half, num_seeds), comparisons)
    others = [1.0] * (comparisons - 1)  # of which nothing is found
    p = [stat.t_interval(row)[1] for row in rng.normal(size, 0.02, (4000, num_seeds))]
    found = [stat.holm([value, *others])[0] < 0.05 for value in p]
    assert 0.78 < np.mean(found) < 0.82


def test_where_nothing_varies_or_nobody_is_nothing_is_detectable():
    for values in ([0.3], [0.0, 0.0, 0.0], [0.1, 0.1]):
        assert math.isnan(stat.detectable(stat.t_interval(values)[0]))


def test_one_seed_has_a_mean_and_no_interval():
    for interval in (stat.mean_interval([0.3]), stat.t_interval([0.3])[0]):
        assert interval[0] == 0.3
        assert math.isnan(interval.low)
        assert math.isnan(interval.high)
        assert interval.num_seeds == 1
    assert math.isnan(stat.t_interval([0.3])[1])
    zero, p = stat.t_interval([0.0])
    assert zero[0] == 0
    assert all(map(math.isnan, (*zero[1:3], p)))
    assert math.isnan(stat.mean_interval([]).estimate)


def test_the_t_interval_is_scipys():
    values = np.random.default_rng(2).normal(0.02, 0.03, 7)
    interval, p = stat.t_interval(values)
    theirs = stats.ttest_1samp(values, 0)
    assert p == pytest.approx(theirs.pvalue)
    np.testing.assert_allclose(interval[1:3], theirs.confidence_interval())


def test_equal_differences_are_not_proof():
    interval, p = stat.t_interval([0.02, 0.02, 0.02])
    assert interval.estimate == pytest.approx(0.02)
    assert math.isnan(p)
    assert stat.t_interval([0.0, 0.0])[1] == 1.0


# --- Holm ---------------------------------------------------------------------------------------


def test_holm_by_hand():
    assert stat.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    mixed = stat.holm([0.5, math.nan, 0.02])
    assert mixed[0] == pytest.approx(0.5)
    assert math.isnan(mixed[1])
    assert mixed[2] == pytest.approx(0.04)
    assert stat.holm([]) == []


@given(st.lists(SCORES, min_size=1, max_size=20))
def test_holm_keeps_the_order_and_lies_between_the_raw_and_bonferronis(p_values):
    p, adjusted = np.array(p_values), np.array(stat.holm(p_values))
    assert (adjusted >= p).all()
    assert (adjusted <= np.minimum(1, p * len(p))).all()
    order = np.argsort(p, kind="stable")
    assert (np.diff(adjusted[order]) >= 0).all()


def test_holm_keeps_the_family_error_where_nothing_differs():
    rng = np.random.default_rng(3)
    wrong = sum(min(stat.holm(p)) < 0.05 for p in rng.random((1000, 20)))
    assert wrong <= 70  # 50 expected


# --- differences to a reference -------------------------------------------------------------------


def test_paired_differences_are_scipys_paired_tests_holm_corrected_over_everything():
    curves = normal_curves(8, good=0.03, same=0.0, random=0.0)
    result = stat.paired_differences(curves, "random")
    assert set(result) == {"good", "same"}
    raw = []
    for name in ("good", "same"):
        assert sorted(result[name]) == [20, 30, 40, 50, 60]  # 10 is the shared start
        for count, found in result[name].items():
            mine = [curves[name][s][count] for s in range(8)]
            base = [curves["random"][s][count] for s in range(8)]
            assert found.p == pytest.approx(stats.ttest_rel(mine, base).pvalue)
            raw.append(found.p)
    adjusted = [d.adjusted_p for name in ("good", "same") for d in result[name].values()]
    assert adjusted == pytest.approx(stat.holm(raw))
    assert max(d.adjusted_p for d in result["good"].values()) < 0.05
    assert min(d.adjusted_p for d in result["same"].values()) > 0.05


def test_what_cannot_be_tested_does_not_make_the_other_tests_stricter():
    curves = normal_curves(8, good=0.03, random=0.0)
    alone = stat.paired_differences(curves, "random")["good"]
    # Of this one there is one seed, which happens to be where the reference is.
    lonely = {0: {count: curves["random"][0][count] for count in (20, 30, 40)}}
    both = stat.paired_differences(curves | {"lonely": lonely}, "random")
    assert all(math.isnan(difference.adjusted_p) for difference in both["lonely"].values())
    assert both["lonely"]
    assert both["good"] == alone


def test_the_sign_turns_with_the_reference():
    curves = normal_curves(5, a=0.03, b=0.0)
    forth, back = (stat.paired_differences(curves, name) for name in ("b", "a"))
    for count, found in forth["a"].items():
        other = back["b"][count]
        assert found.interval.estimate == pytest.approx(-other.interval.estimate)
        assert found.interval.low == pytest.approx(-other.interval.high)
        assert found.p == pytest.approx(other.p)


def test_unequal_seeds_and_missing_episodes_compare_what_both_have():
    curves = {
        "a": {0: {10: 0.1, 20: 0.5}, 1: {10: 0.2, 20: 0.6, 30: 0.7}, 5: {10: 0.3}},
        "random": {1: {10: 0.2, 20: 0.4, 30: 0.5}, 0: {10: 0.1, 20: 0.4}, 7: {20: 0.9}},
    }
    found = stat.paired_differences(curves, "random")["a"]
    assert {count: d.interval.num_seeds for count, d in found.items()} == {20: 2, 30: 1}
    assert found[20].interval.estimate == pytest.approx(0.15)
    assert math.isnan(found[30].p)
    nothing = stat.paired_differences({"a": {0: {10: 0.5}}, "b": {1: {10: 0.5}}}, "b")
    assert nothing == {"a": {}}


def test_area_differences_are_paired_by_seed():
    found = stat.area_differences(
        {"a": {0: 0.5, 1: 0.7, 9: 0.1}, "b": {0: 0.3, 1: 0.4}, "c": {0: 0.1, 1: 0.9}}, "b"
    )
    assert set(found) == {"a", "c"}
    assert found["a"].interval.estimate == pytest.approx(0.25)
    assert found["a"].interval.num_seeds == 2
    assert [found[n].adjusted_p for n in "ac"] == stat.holm([found[n].p for n in "ac"])


# --- the penalty matrix ---------------------------------------------------------------------------


def test_the_penalty_matrix_by_hand_with_the_papers_threshold():
    # Five seeds: beaten if |t| > 2.776. Differences of a and b at three counts after the start.
    plain = np.array([0.01, -0.02, 0.0, 0.02, -0.01])
    table = np.full((5, 4), 0.5)
    ahead = table + np.column_stack([np.zeros(5), plain, 0.05 + plain, -0.05 + plain])
    counts = (10, 20, 30, 40)
    result = stat.penalty_matrix({"a": curve(ahead, counts), "b": curve(table, counts)})
    np.testing.assert_allclose(result.matrix, [[np.nan, 1 / 3], [1 / 3, np.nan]])
    np.testing.assert_allclose(result.column_means, [1 / 3, 1 / 3])
    t = math.sqrt(5) * np.mean(0.05 + plain) / np.std(plain, ddof=1)
    assert t > stats.t.ppf(0.975, 4) == pytest.approx(2.776, abs=1e-3)


@given(st.integers(0, 10_000), st.integers(2, 4), st.integers(1, 4))
def test_the_penalty_matrix_is_bounded_and_follows_the_names(seed, num_strategies, num_seeds):
    rng = np.random.default_rng(seed)
    curves = {str(k): curve(rng.random((num_seeds, 3)).round(1)) for k in range(num_strategies)}
    result = stat.penalty_matrix(curves)
    P = result.matrix
    compared = ~np.isnan(P)
    assert (P[compared] >= 0).all()
    assert ((P + P.T)[compared] <= 1 + 1e-9).all()
    assert not np.diag(compared).any()
    assert compared.any() == (num_seeds > 1)
    turned = stat.penalty_matrix(dict(reversed(curves.items())))
    np.testing.assert_allclose(turned.matrix[::-1, ::-1], P)


def test_who_was_never_compared_is_not_called_unbeaten():
    rng = np.random.default_rng(5)
    noise = rng.normal(0, 0.01, (3, 5, 3))
    curves = {
        "good": curve(0.9 + noise[0]),
        "bad": curve(0.1 + noise[1]),
        "elsewhere": curve(0.5 + noise[2], seeds=range(5, 10)),  # no common seed
        "later": curve([[0.5, 0.6, 0.7]], counts=(11, 21, 41)),  # no common label count
    }
    P = stat.penalty_matrix(curves)
    expected = np.full((4, 4), np.nan)
    expected[0, 1], expected[1, 0] = 1, 0
    np.testing.assert_array_equal(P.matrix, expected)
    np.testing.assert_array_equal(P.column_means, [0, 1, np.nan, np.nan])
    # The mean of a column is over those that it was compared to, and no others.
    three = stat.penalty_matrix({**curves, "middle": curve(0.5 + noise[2])})
    np.testing.assert_allclose(three.column_means[:2], [0, 1])


# --- labels to reach -----------------------------------------------------------------------------


def test_labels_to_reach_interpolates_and_says_none():
    counts, scores = [10, 20, 40], [0.2, 0.4, 0.3]
    assert stat.labels_to_reach(counts, scores, 0.3) == pytest.approx(15)
    assert stat.labels_to_reach(counts, scores, 0.1) == 10
    assert stat.labels_to_reach(counts, scores, 0.4) == 20
    assert stat.labels_to_reach(counts, scores, 0.5) is None
    assert stat.labels_to_reach([], [], 0.5) is None


@given(st.lists(SCORES, min_size=1, max_size=6), SCORES, SCORES)
def test_a_higher_accuracy_never_needs_fewer_labels(scores, one, other):
    counts = [10 * (k + 1) for k in range(len(scores))]
    low, high = (stat.labels_to_reach(counts, scores, target) for target in sorted([one, other]))
    assert high is None or (low is not None and low <= high)


def test_the_median_counts_seeds_that_never_got_there():
    reach = {0: {10: 0.1, 20: 0.5}, 1: {10: 0.5, 20: 0.5}, 2: {10: 0.1, 20: 0.2}}
    assert stat.median_labels_to_reach(reach, 0.5) == (20, 2)
    assert stat.median_labels_to_reach(reach, 0.6) == (None, 0)
    assert stat.median_labels_to_reach({}, 0.6) == (None, 0)


# --- balance, overlap -----------------------------------------------------------------------------


@given(st.lists(st.integers(0, 50), min_size=2, max_size=8).filter(any))
def test_class_balance_is_scipys_entropy_over_its_largest(counts):
    value = stat.class_balance(counts)
    assert 0 <= value <= 1
    assert value == pytest.approx(stats.entropy(counts) / math.log(len(counts)), abs=1e-9)
    assert value == pytest.approx(stat.class_balance(counts[::-1]))


def test_class_balance_at_the_ends():
    assert stat.class_balance([5, 5, 5]) == pytest.approx(1)
    assert stat.class_balance([5, 0, 0]) == 0
    assert math.isnan(stat.class_balance([0, 0]))
    assert stat.class_balance([3]) == 1


PICKS = st.sets(st.integers(0, 20))


@given(PICKS, PICKS)
def test_jaccard_is_symmetric_bounded_and_one_only_for_the_same(one, other):
    value = stat.jaccard(one, other)
    if not one | other:
        assert math.isnan(value)
        return
    assert 0 <= value <= 1
    assert value == stat.jaccard(other, one)
    assert (value == 1) == (one == other)


def test_overlap_adds_up_over_episodes_without_the_initial_labels():
    one = {0: {0: [7], 1: [1, 2], 2: [3]}, 1: {0: [8], 1: [1]}, 4: {1: [1]}}
    other = {0: {0: [7], 1: [2, 3], 2: [4]}, 1: {0: [8], 1: [1], 2: [5]}}
    assert stat.overlaps(one, other) == {1: [1 / 3, 1.0], 2: [2 / 4]}
    assert stat.overlaps(other, one) == stat.overlaps(one, other)
    assert stat.overlaps({}, other) == {}
