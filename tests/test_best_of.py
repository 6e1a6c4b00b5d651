"""The best of what several strategies would ask, beside a plain loop over all candidates."""

import itertools
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from made_up_benchmarks import LINEAR, table

import jax_al as al
from jax_al.drivers.best_of import MOST_SEEN, views
from jax_al.drivers.engine import Engine, Looking
from jax_al.drivers.fit import fit, gather
from jax_al.errors import UsageError
from jax_al.strategies import STRATEGIES, make_strategy
from jax_al.types import empty_pool, label_points

N, INITIAL, BUDGET, EPISODES, SEED = 40, 4, 3, 3, 1
NAMES = ("margin", "coreset", "random")
DRAWS = 2


def blobs(count, seed):
    """Three classes of points that overlap, so that what is labeled counts."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, count).astype(np.int32)
    middles = np.array([[0, 0, 1], [2, 0, 0], [0, 2, 0]])
    return rng.normal(middles[truth]).astype(np.float32), truth


def bench(num_test=50):
    (x, y), (more, of_more) = blobs(N, 0), blobs(num_test, 1)
    return al.Benchmark(al.arrays(x), y, ("a", "b", "c"), al.arrays(more), of_more)


BENCH = bench()
ENGINE = Engine(BENCH, LINEAR, Looking())


def ran(strategy, benchmark=BENCH, **options):
    given = {"initial": INITIAL, "budget": BUDGET, "episodes": EPISODES, "seeds": [SEED]}
    return al.run(benchmark, learner=LINEAR, strategies={"it": strategy}, **given | options)


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A run by the test set: its rows, its picks, its directory."""
    root = tmp_path_factory.mktemp("run")
    rows = ran(al.best_of(NAMES, draws=DRAWS), directory=root)
    lines = (root / "parts" / "it" / f"seed_{SEED}" / "journal.jsonl").read_text().splitlines()
    asked = [event for event in map(json.loads, lines) if event["event"] == "asked"]
    return rows, [event["rows"] for event in asked], root


def by_hand(judge):
    """The batches that a plain loop buys, and of each episode all candidates' shares."""
    engine = ENGINE
    capacity = INITIAL + BUDGET * (EPISODES - 1)
    order = np.random.default_rng(SEED).permutation(N)[:INITIAL].tolist()
    bought, told = [order], []

    def fitted(rows, episode):
        key = jax.random.fold_in(jax.random.key(SEED), episode)
        init_key, train_key, query_key = jax.random.split(key, 3)
        examples = gather(BENCH.pool, rows, BENCH.truth[rows].tolist(), capacity)
        given = engine.init(init_key), examples, engine.context
        return fit(engine.programs, engine.learner, train_key, *given)[0], query_key

    def right(state, pool, labels):
        inputs = pool.read(slice(None))
        return np.asarray(engine.learner.predict(state, inputs).log_probs).argmax(1) == labels

    for episode in range(1, EPISODES):
        state, query_key = fitted(order, episode)
        pool = label_points(
            empty_pool(N, capacity), jnp.array(order, jnp.int32), jnp.array(BENCH.truth[order])
        )
        pool = pool._replace(num_initial=jnp.int32(INITIAL), num_queries=jnp.int32(episode - 1))
        batches, shares = [], []
        for name in NAMES:
            for _, key, seen in views(query_key, DRAWS, pool, BUDGET):
                asked = engine.ask(key, state, make_strategy(name), seen, BUDGET, BUDGET)
                batches.append(asked.chosen.rows.tolist())
                after, _ = fitted([*order, *batches[-1]], episode + 1)
                if judge == "test":
                    shares.append(right(after, BENCH.test, BENCH.test_labels).mean())
                else:
                    shares.append(np.delete(right(after, BENCH.pool, BENCH.truth), order).mean())
        told.append(shares)
        bought.append(batches[int(np.argmax(shares))])
        order = [*order, *bought[-1]]
    return bought, told


def test_it_buys_what_a_plain_loop_buys(kept):
    rows, picks, _ = kept
    bought, told = by_hand("test")
    assert picks == bought
    for row, shares in zip(rows, told, strict=False):
        info = row["query_info"]
        assert info["best_of_accuracy"] == pytest.approx(max(shares))
        assert info["best_of_mean"] == pytest.approx(np.mean(shares))
        assert info["best_of_least"] == pytest.approx(min(shares))
        first = int(np.argmax(shares))
        assert (info["best_of_strategy"], info["best_of_draw"]) == divmod(first, DRAWS)
    assert any(max(shares) > min(shares) for shares in told)  # there was a choice


def test_what_it_judged_by_is_what_the_next_episode_tells_and_no_candidate_was_better(kept):
    rows, _, _ = kept
    assert len(rows) == EPISODES
    for before, after in itertools.pairwise(rows):
        info = before["query_info"]
        assert after["test_accuracy"] == info["best_of_accuracy"]
        assert info["best_of_least"] <= info["best_of_mean"] <= info["best_of_accuracy"]


def test_by_the_pool_it_looks_at_no_test_set():
    bought, _ = by_hand("pool")
    strategy = al.best_of(NAMES, draws=DRAWS, judge="pool")
    blind = BENCH._replace(test=None, test_labels=None)
    picks = []

    def tell(event):
        if event["event"] == "looked":
            picks.append(event["rows"].tolist())

    ran(strategy, blind, tell=tell)
    assert picks == bought[1:]


def test_it_goes_on_where_it_was_left(kept, tmp_path):
    rows, _, _ = kept
    strategy = al.best_of(NAMES, draws=DRAWS)
    ran(strategy, directory=tmp_path, episodes=2)
    resumed = ran(strategy, directory=tmp_path)
    same = ("test_accuracy", "query_info", "num_labeled")
    assert [{key: row.get(key) for key in same} for row in resumed] == [
        {key: row.get(key) for key in same} for row in rows
    ]


def test_one_draw_of_one_strategy_is_that_strategy():
    picks = {}
    for name, strategy in (
        ("alone", al.make_strategy("badge")),
        ("best", al.best_of(["badge"], draws=1)),
    ):
        seen = picks[name] = []

        def tell(event, seen=seen):
            if event["event"] == "looked":
                seen.append(event["rows"].tolist())

        ran(strategy, tell=tell)
    assert picks["alone"] == picks["best"]


def test_a_view_hides_at_random_and_never_too_much():
    pool = label_points(empty_pool(N, 4), jnp.array([3, 5]), jnp.array([0, 1]))
    counts = []
    for _, _, seen in views(jax.random.key(0), 30, pool, 2):
        may = np.asarray(seen.selectable)
        counts.append(int(may.sum()))
        assert not may[[3, 5]].any()
    assert counts[0] == N - 2
    assert min(counts) >= 8
    assert len(set(counts)) > 5
    large = empty_pool(MOST_SEEN * 2, 1)
    assert all(
        8 <= np.asarray(seen.selectable).sum() <= MOST_SEEN
        for draw, _, seen in views(jax.random.key(1), 4, large, 2)
        if draw
    )
    (_, last) = views(jax.random.key(2), 2, pool, 100)  # nothing is left to hide
    np.testing.assert_array_equal(last[2].selectable, pool.selectable)


def test_by_name_and_on_the_command_line():
    made = make_strategy("best_of", strategies=("margin", "random"), draws=2)
    assert (len(made.parts), made.lookahead.draws) == (2, 2)
    assert len(make_strategy("best_of").parts) == 5
    assert "best_of" not in STRATEGIES  # nobody compares all strategies and gets a ceiling


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"draws": 0}, "draws is 0, but must be a whole number"),
        ({"judge": "train"}, "judge is 'train', but must be one of test, pool"),
        ({"strategies": "margin"}, "strategies must be a list of one or more names"),
        ({"strategies": ()}, "strategies must be a list of one or more names"),
        ({"strategies": ("mragin",)}, "There is no strategy 'mragin'"),
        ({"strategies": ("ceal",)}, "ceal brings pseudo-labels, so it cannot be"),
        ({"strategies": ("best_of",)}, "best_of refits by itself, so it cannot be"),
    ],
)
def test_what_it_cannot_try_is_a_sentence(options, match):
    with pytest.raises(UsageError, match=match):
        al.best_of(**options)


def test_it_wants_the_truth_and_a_set_to_judge_by():
    strategy = al.best_of(["margin", "random"], draws=1)
    with pytest.raises(UsageError, match="works in a simulation only"):
        al.Session(table(20), classes=["a", "b"], learner=LINEAR, strategy=strategy, budget=2)
    with pytest.raises(UsageError, match="judges by the test set, and there is none"):
        ran(strategy, BENCH._replace(test=None, test_labels=None))
    with pytest.raises(UsageError, match="this learner has one opinion only"):
        ran(al.best_of(["margin", "bald"]))
    with pytest.raises(UsageError, match="only a run with a simulated oracle can ask it"):
        al.select(
            strategy, budget=2, true_labels=np.zeros(9, int), log_probs=np.full((9, 2), np.log(0.5))
        )
