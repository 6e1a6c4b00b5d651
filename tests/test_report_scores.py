"""What the page says of the scores, held against the strategies."""

import jax
import numpy as np
import pytest

from jax_al.report.scores import CEAL, SCORES, UNSCORED, score_meaning
from jax_al.strategies.select import select
from jax_al.strategies.table import STRATEGIES, make_strategy
from jax_al.types import Signals
from tests.asking import pool_of, single

N, C, D, T = 24, 3, 4, 5
LABELED = np.arange(6)


def signals():
    """One of each kind, float32."""
    rng = np.random.default_rng(0)
    probs = rng.dirichlet(np.ones(C), N)
    return {
        "embedding": rng.normal(size=(N, D)),
        "head_inputs": rng.normal(size=(N, D)),
        "log_probs": np.log(probs),
        "mc_probs": probs,
        "mc_mean_entropy": rng.random(N) / 9,
        "mc_votes": rng.integers(0, T, (N, C)) * 1.0,
        "mc_std": rng.random((N, C)),
        "sampled_probs": rng.dirichlet(np.ones(C), (T, N)),
        "true_labels": rng.integers(0, C, N),
        "head": rng.normal(size=(D + 1, C)),
    }


def test_every_strategy_is_explained_and_nothing_else():
    assert SCORES.keys() | UNSCORED.keys() == STRATEGIES.keys() - {"ceal"}
    assert not SCORES.keys() & UNSCORED.keys()
    for name in STRATEGIES:
        assert score_meaning({"strategy": name}).startswith(("Score: ", "No score: "))


@pytest.mark.parametrize("name", STRATEGIES)
def test_who_is_said_to_have_a_score_has_one(name):
    made = make_strategy(name)
    seen = {need: single(values) for need, values in signals().items() if need in made.needs}
    given = jax.random.key(0), Signals(**seen), pool_of(N, LABELED, LABELED % C)

    def ask(*given):
        return made.select(*given, 3)

    found = ask(*given) if made.on_host else jax.eval_shape(ask, *given)  # shapes: none is compiled
    assert (found.scores is None) == score_meaning({"strategy": name}).startswith("No score")


def test_ceal_is_explained_by_what_it_ranks_by():
    assert score_meaning({"strategy": "ceal"}) == score_meaning({"strategy": CEAL})
    by_margin = {"strategy": "ceal", "strategy_args.score": "margin"}
    assert score_meaning(by_margin) == score_meaning({"strategy": "margin"})


def test_a_strategy_from_outside_explains_itself():
    assert "mine:pick's own" in score_meaning({"strategy": "mine:pick"})


def test_the_numbers_are_what_is_said_of_them():
    given = signals()
    probs = np.sort(np.exp(given["log_probs"]), axis=1)
    found = select("margin", budget=3, labeled=LABELED, log_probs=given["log_probs"])
    np.testing.assert_allclose(found.scores, (probs[:, -2] - probs[:, -1])[found.rows], rtol=1e-4)
    points = given["embedding"]
    for name, more in (
        ("coreset", {}),
        ("coreset_robust", {}),
        ("uncertainty_coreset", {"log_probs": given["log_probs"]}),
    ):
        found = select(name, budget=3, labeled=LABELED, embedding=points, **more)
        for k, row in enumerate(found.rows):
            centers = points[[*LABELED, *found.rows[:k]]]
            nearest = np.linalg.norm(points[row] - centers, axis=1).min()
            assert found.scores[k] == pytest.approx(nearest, rel=1e-4)
