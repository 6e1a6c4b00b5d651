"""A choice: strategies asked in programs, on the host and from files, and their answers checked."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_up_benchmarks import state_of

from jax_al.drivers.choose import choose, compile_ahead
from jax_al.drivers.programs import Programs
from jax_al.errors import UsageError
from jax_al.geometry.kcenter import kcenter_greedy
from jax_al.strategies import make_strategy
from jax_al.strategies.numbers import bad_rows, refuse_bad_rows
from jax_al.strategies.strategy import strategy
from jax_al.testing.made_up import general
from jax_al.types import NOTHING, SKIP, UNKNOWN, Query, Signals, label_points

N, Q = 30, 4
POINTS = np.random.default_rng(0).normal(size=(N, 3)).astype(np.float32)
KEY = jax.random.key(0)


def answering(indices, **more):
    """A strategy that answers this."""

    def select(key, signals, pool, budget):
        return Query(jnp.array(indices, jnp.int32), {}, **more)

    return strategy(select, needs=set())


def asked(of, signals=None, pool=None, *, budget=Q, wanted=None, num_classes=3):
    wanted = budget if wanted is None else wanted
    pool = state_of(N, 6) if pool is None else pool
    given = signals or Signals(), pool, budget, wanted, num_classes
    return choose(Programs(), of, KEY, *given)


def mapped(array, path):
    """The same numbers in a file."""
    found = np.memmap(path, array.dtype, "w+", shape=array.shape)
    found[:] = array
    return found


@pytest.mark.parametrize("name", ["coreset", "random", "coreset_robust"])
def test_a_query_is_distinct_selectable_rows(name):
    pool = state_of(N, 6, excluded=(1, 2, 3))
    of = make_strategy(name)
    signals = Signals(embedding=jnp.asarray(POINTS)) if of.needs else Signals()
    chosen = asked(of, signals, pool)
    assert chosen.rows.dtype == np.int64
    assert len(set(chosen.rows.tolist())) == Q
    assert np.asarray(pool.selectable)[chosen.rows].all()


@pytest.mark.parametrize(
    "indices",
    [
        (1, 2, 3, 3),  # the same one twice
        (1, 2, 3, 7),  # 7 has a label
        (1, 2, 3, 29),  # 29 is excluded
        (1, 2, 3, N),
        (1, 2, 3, -5),
        (1, 2, 3, NOTHING),  # one is missing
    ],
)
def test_a_wrong_answer_stops_before_anything_is_bought(indices):
    with pytest.raises(UsageError, match="4 distinct selectable rows were wanted"):
        asked(answering(indices), pool=state_of(N, 6, excluded=(29,)))


@pytest.mark.parametrize("on_host", [False, True])
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda rows: rows, r"\[4\] rows and a dict, .* returned an array\."),
        (lambda rows: None, "returned a NoneType"),
        (lambda rows: Query(rows, None), "one whose info is a NoneType"),
        (lambda rows: Query(rows.astype(jnp.float32), {}), "one whose indices are float32"),
        (lambda rows: Query([1, 2, 3, 4], {}), "one whose indices are a list, and no array"),
        (lambda rows: Query(None, {}), "one whose indices are a NoneType"),
        (lambda rows: Query(rows[:2], {}), r"one whose indices are of shape \[2\]"),
        (lambda rows: Query(rows, {}, scores=rows[:2] / 2), r"one whose scores are of shape \[2\]"),
        (lambda rows: Query(rows, {"why": "so"}), r"one whose info\['why'\] is no number"),
        (lambda rows: Query(rows, {"all": rows}), r"one whose info\['all'\] is no number"),
        (lambda rows: Query(rows, {}, rows), "with pseudo_labels, though it is not made with"),
    ],
)
def test_what_is_no_query_is_told_in_a_sentence(answer, words, on_host):
    def select(key, signals, pool, budget):
        return answer(jnp.arange(1, budget + 1, dtype=jnp.int32))

    for needs_label in (False, True):
        of = strategy(select, needs=set(), needs_label=needs_label, on_host=on_host)
        with pytest.raises(UsageError, match=words):
            asked(of)


@pytest.mark.parametrize("on_host", [False, True])
@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (None, "one without pseudo_labels, though it is made with pseudo_labels=True"),
        (np.zeros(12, np.int32), r"one whose pseudo_labels are of shape \[12\], not \[30\]"),
        (np.zeros((N, 1), np.int32), r"one whose pseudo_labels are of shape \[30, 1\]"),
        (np.full(N, 1.5, np.float32), "one whose pseudo_labels are float32, not int32"),
        ([UNKNOWN] * N, "one whose pseudo_labels are list, not int32"),
    ],
)
def test_pseudo_labels_that_are_no_vector_of_labels_are_told_before_anything_is_bought(
    labels, words, on_host
):
    def select(key, signals, pool, budget):
        return Query(jnp.arange(1, budget + 1), {}, labels)

    of = strategy(select, needs=set(), pseudo_labels=True, on_host=on_host)
    with pytest.raises(UsageError, match=words):
        asked(of)
    if not on_host:  # before there is a label
        with pytest.raises(UsageError, match=words):
            compile_ahead(Programs(), of, Signals(), state_of(N, 0), Q)


@pytest.mark.parametrize(
    ("row", "label", "words"),
    [
        (20, 3, r"classes from 0 to 2, or -1 for none, and \[3\] are among them"),
        (20, SKIP, r"and \[-2\] are among them"),
        (0, 1, r"must have no pseudo-label, and rows \[0\] do"),  # it is picked
        (7, 1, r"and rows \[7\] do"),  # it has a label
        (29, 1, r"and rows \[29\] do"),  # it is excluded
    ],
)
def test_a_pseudo_label_that_there_cannot_be_is_refused(row, label, words):
    guesses = np.full(N, UNKNOWN, np.int32)
    guesses[21] = 2

    def select(key, signals, pool, budget):
        return Query(jnp.array([0, 1, 2, 3]), {}, jnp.array(guesses))

    of = strategy(select, needs=set(), pseudo_labels=True)
    pool = state_of(N, 0, excluded=(29,))
    pool = label_points(pool, jnp.array([7]), jnp.array([1]))
    np.testing.assert_array_equal(asked(of, pool=pool).pseudo_labels, guesses)
    guesses[row] = label
    with pytest.raises(UsageError, match=words):
        asked(of, pool=pool)


def test_what_is_nothing_is_cut_off_with_its_score():
    told = jnp.array([0.5, 0.25, jnp.nan, jnp.nan])
    chosen = asked(answering((3, 1, NOTHING, NOTHING), scores=told), wanted=2)
    assert chosen.rows.tolist() == [3, 1]
    assert chosen.scores.tolist() == [0.5, 0.25]
    assert chosen.pseudo_labels is None


def test_the_info_is_told_as_plain_numbers():
    def select(key, signals, pool, budget):
        return Query(jnp.arange(1, 5, dtype=jnp.int32), {"share": jnp.float32(0.5)})

    info = asked(strategy(select, needs=set())).info
    assert info == {"share": 0.5}
    assert type(info["share"]) is float


def test_the_cover_radius_is_measured_without_what_is_excluded_and_not_where_there_is_no_geometry():
    """Row 5 lies far away: it is excluded, so it need not be covered."""
    points = POINTS.copy()
    points[5] = 1e4
    pool = state_of(N, 6, excluded=(5,))

    def select(key, signals, pool, budget):
        return Query(jnp.arange(1, 5, dtype=jnp.int32), {})

    of = strategy(select, needs={"embedding"})
    found = asked(of, Signals(embedding=jnp.asarray(points)), pool).info["cover_radius"]
    centers = [*np.flatnonzero(pool.labeled), 1, 2, 3, 4]
    gaps = np.linalg.norm(points[:, None].astype(float) - points[None, centers], axis=2).min(axis=1)
    np.testing.assert_allclose(found, np.delete(gaps, 5).max(), rtol=1e-5)
    assert "cover_radius" not in asked(strategy(select, needs=set())).info


def test_a_strategy_on_the_host_is_given_numpy_arrays_and_its_radius_is_measured_too():
    seen = []

    def select(key, signals, pool, budget):
        seen.extend(jax.tree.leaves((signals, pool)))
        return Query(np.arange(1, 5), {})

    of = strategy(select, needs={"embedding"}, on_host=True)._replace(select=select)
    chosen = asked(of, Signals(embedding=jnp.asarray(POINTS)))
    assert all(type(leaf) in (np.ndarray, np.int32) for leaf in seen)
    assert chosen.rows.tolist() == [1, 2, 3, 4]
    assert chosen.info["cover_radius"] > 0


def test_nothing_is_compiled_by_asking_for_a_strategy_on_the_host_or_a_traced_one():
    shapes = Signals(embedding=jax.ShapeDtypeStruct(POINTS.shape, POINTS.dtype))
    signals, pool = Signals(embedding=jnp.asarray(POINTS)), state_of(N, 6)
    for name, count in {"coreset": 1, "coreset_robust": 1, "kmeans": 2}.items():
        programs, of = Programs(), make_strategy(name)
        compile_ahead(programs, of, shapes, pool, Q)
        assert programs.compiles == count
        choose(programs, of, KEY, signals, pool, Q, Q, 3)
        assert programs.compiles == count


@pytest.mark.parametrize("count", [0, 1, 6])
@pytest.mark.parametrize("excluded", [(), (1, 7, 20)], ids=["all", "without"])
def test_coreset_from_a_file_picks_what_the_traced_one_picks(count, excluded, tmp_path):
    """Row 7 has a label, too, where six do: what is excluded covers nothing."""
    pool = state_of(N, count, excluded=excluded)
    points = POINTS.copy()
    of = make_strategy("coreset")
    traced = asked(of, Signals(embedding=jnp.asarray(points)), pool, budget=9)
    points[list(excluded)] = np.nan  # it may hold anything
    found = asked(of, Signals(embedding=mapped(points, tmp_path / "x")), pool, budget=9)
    np.testing.assert_array_equal(found.rows, traced.rows)
    np.testing.assert_allclose(found.scores, traced.scores, rtol=1e-6)
    assert np.isnan(found.scores[0]) == (count == 0)
    assert found.info.keys() == traced.info.keys() == {"cover_radius"}
    np.testing.assert_allclose(*(x.info["cover_radius"] for x in (found, traced)), rtol=1e-6)


def test_coreset_from_a_file_breaks_ties_as_the_traced_one_does(tmp_path):
    points = np.repeat(POINTS[: N // 3], 3, axis=0)
    pool = state_of(N, 4)
    of = make_strategy("coreset")
    traced = asked(of, Signals(embedding=jnp.asarray(points)), pool, budget=20)
    found = asked(of, Signals(embedding=mapped(points, tmp_path / "x")), pool, budget=20)
    np.testing.assert_array_equal(found.rows, traced.rows)
    np.testing.assert_array_equal(found.rows, kcenter_greedy(points, 20, pool.labeled).indices)


def test_the_end_of_the_pool_is_bought_from_a_file_too(tmp_path):
    pool = state_of(N, 6, excluded=(1, 2))
    signals = Signals(embedding=mapped(POINTS, tmp_path / "x"))
    chosen = asked(make_strategy("coreset"), signals, pool, budget=N, wanted=N - 8)
    assert sorted(chosen.rows.tolist()) == np.flatnonzero(pool.selectable).tolist()
    assert chosen.info == {"cover_radius": 0.0}


@pytest.mark.parametrize("name", ["kmeans", "coreset_robust"])
def test_a_strategy_that_cannot_read_files_is_refused_with_the_bytes(name, tmp_path):
    signals = Signals(embedding=mapped(POINTS, tmp_path / "x"))
    with pytest.raises(UsageError, match="would hold embedding of the whole pool in memory, 360 b"):
        asked(make_strategy(name), signals)


@pytest.mark.parametrize("on_host", [False, True])
def test_what_a_broken_row_holds_reaches_no_strategy(on_host):
    def select(key, signals, pool, budget):
        del key, pool
        return Query(jnp.arange(1, budget + 1), {"total": signals.embedding.sum()})

    of = strategy(select, needs={"embedding"}, on_host=on_host)
    broken = np.ones((N, 2), np.float32)
    broken[29] = np.nan
    chosen = asked(of, Signals(embedding=jnp.asarray(broken)), state_of(N, 6, excluded=(29,)))
    assert chosen.info["total"] == 2 * (N - 1)


# What a signal may not hold, and what it may.
OF_ANY_SIZE = ([np.nan, np.inf, -np.inf, 1.01e15, -1.01e15], [1e15, -1e15])
LOGARITHMS = ([np.nan, np.inf], [-np.inf, -1e20])
OTHERS = ([np.nan, np.inf, -np.inf], [1e20])
HOLDS = {"embedding": OF_ANY_SIZE, "head_inputs": OF_ANY_SIZE, "log_probs": LOGARITHMS}


@pytest.mark.parametrize("kind", [np.asarray, jnp.asarray])
@pytest.mark.parametrize(
    "name", [name for name in Signals._fields if name not in ("true_labels", "head")]
)
def test_the_first_row_that_nothing_can_be_made_of_is_named(name, kind):
    signals, excluded = general(0, N, 7), kind(np.arange(N) == 5)  # of T = 6 draws, D = 5 columns

    def holding(value, *rows):
        values = np.array(getattr(signals, name))
        by_row = np.moveaxis(values, 1, 0) if name == "sampled_probs" else values
        for row in rows:
            by_row[(row, *(-1,) * (by_row.ndim - 1))] = value
        found = bad_rows(signals._replace(**{name: kind(values)}), excluded)
        assert {row.dtype for row in found.values()} == {np.dtype(np.int32)}
        return {name: int(row) for name, row in found.items()}

    bad, good = HOLDS.get(name, OTHERS)
    for value in bad:
        found = holding(value, 23, 5, 11)
        assert {row for other, row in found.items() if other != name} == {NOTHING}
        assert found[name] == 11
        with pytest.raises(
            UsageError, match=f"^{name} holds NaN, (plus )?infinity.* in row 11: no strat"
        ):
            refuse_bad_rows(found)
        assert holding(value, 0)[name] == 0
    for value, rows in [*((value, (23,)) for value in good), (np.nan, (5,))]:
        found = holding(value, *rows)
        assert set(found.values()) == {NOTHING}
        refuse_bad_rows(found)


def test_a_file_is_not_read_to_look_for_bad_rows(tmp_path):
    broken = np.full((N, 2), np.nan, np.float32)
    excluded = np.zeros(N, bool)
    assert bad_rows(Signals(embedding=mapped(broken, tmp_path / "x")), excluded) == {}
    assert bad_rows(Signals(embedding=broken), excluded) == {"embedding": 0}
