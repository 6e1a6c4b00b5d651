import asking
import jax
import numpy as np
import pytest

import jax_al as al
from jax_al.cli.strategies import page
from jax_al.drivers.identity import fingerprints
from jax_al.errors import UsageError
from jax_al.strategies import make_strategy
from jax_al.strategies.entries import strategies_named
from jax_al.strategies.schedule import schedule
from jax_al.strategies.select import _made
from jax_al.testing import made_up
from jax_al.testing.strategy import check_strategy
from jax_al.types import Signals

N, C = 24, 4
THREE = "typiclust:2,margin:4,ceal"


def answer(name, labeled, budget=3, **options):
    made, everything = make_strategy(name, **options), made_up.general(0, N, C)
    signals = Signals(**{need: getattr(everything, need) for need in made.needs})
    pool = asking.pool_of(N, labeled, capacity=8)
    return asking.program(name, **options)(jax.random.key(1), signals, pool, budget)


@pytest.mark.parametrize(
    ("labeled", "name"),
    [((), "typiclust"), ((3,), "typiclust"), ((3, 9), "margin"), ((3, 9, 1), "margin"),
     ((3, 9, 1, 7), "ceal"), ((3, 9, 1, 7, 5), "ceal")],
)  # fmt: skip
def test_each_is_asked_for_its_labels_and_answers_as_alone(labeled, name):
    query, alone = answer(THREE, labeled), answer(name, labeled)
    assert query.indices.tolist() == alone.indices.tolist()
    np.testing.assert_array_equal(query.scores, alone.scores)
    assert query.info["stage"] == ["typiclust", "margin", "ceal"].index(name)
    for told, value in alone.info.items():
        assert query.info[told] == value
    assert query.pseudo_labels.shape == (N,)
    if name != "ceal":
        assert (np.asarray(query.pseudo_labels) == -1).all()


def test_it_keeps_the_contract_and_says_of_itself_what_its_parts_say():
    made = make_strategy(THREE)
    assert made.needs == {"embedding", "log_probs"}
    assert made.seeded
    assert made.pseudo_labels
    check_strategy(made._replace(select=asking.program(THREE)), num_classes=C, seeds=(0,))
    calm = make_strategy("coreset:2,margin")
    assert not calm.seeded
    check_strategy(
        calm._replace(select=asking.program("coreset:2,margin")), num_classes=C, seeds=(0,)
    )
    # Of margin no cover radius is known: the driver works it out, as of any.
    assert "cover_radius" not in answer("coreset:2,margin", ()).info


def test_options_and_the_embedding_go_to_those_that_have_them():
    ((name, made),) = strategies_named(["typiclust:100,margin@pixels_pca"]).items()
    assert name == "typiclust:100,margin@pixels_pca"
    assert made.embedding == "pixels_pca"
    assert [part.embedding for part in made.parts] == ["pixels_pca", "model"]
    ((name, made),) = strategies_named(["typiclust:9,margin@/tmp/some/dino.npy"]).items()
    assert name == "typiclust:9,margin@dino"
    with pytest.raises(UsageError, match="No strategy of 'kmeans:5,random' has an option 'beta'"):
        make_strategy("kmeans:5,random", beta=1.0)
    with pytest.raises(UsageError, match="iterations is -1"):
        make_strategy("kmeans:5,random", iterations=-1)
    with pytest.raises(UsageError, match="'random:5,margin' has an option 'beta': they take none"):
        make_strategy("random:5,margin", beta=1)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("margin:100", "a strategy is one name, or several"),
        ("margin,random", "a strategy is one name, or several"),
        ("margin:9,random:20", "a strategy is one name, or several"),
        ("margin:9,", "a strategy is one name, or several"),
        ("margin:9,kmeans:9,random", "changes at 9, 9 labels; these must be from 1 to 2147483647"),
        ("margin:0,random", "changes at 0 labels; these must be from 1 to 2147483647 and rise"),
        ("margin:9999999999,random", "changes at 9999999999 labels; these must be from 1 to"),
        ("margn:9,random", "did you mean 'margin'"),
        ("best_of:9,random", "best_of refits learners, so it cannot be one of several"),
        ("random:9,best_of", "best_of refits learners, so it cannot be one of several"),
        ("coreset_robust:9,random", "that works on the host cannot be one of several in a row"),
        ("typiclust@pixels_pca:9,margin", "stands at the end, A:100,B@EMBEDDING"),
    ],
)
def test_what_cannot_be_meant_is_a_sentence(name, sentence):
    with pytest.raises(UsageError, match=sentence):
        strategies_named([name])


def test_one_from_outside_may_be_part_and_is_known_by_its_source(tmp_path, monkeypatch):
    source = (
        "import jax_al as al\n"
        "def pick(key, signals, pool, budget):\n"
        "    return al.by_score(key, -signals.log_probs[:, 0], pool, budget)\n"
        "made = al.strategy(pick, needs={'log_probs'})\n"
    )
    (tmp_path / "outside_scheduled.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    made = make_strategy("outside_scheduled:made:3,margin")
    assert fingerprints(made) == fingerprints(made.parts[0])
    assert fingerprints(make_strategy("typiclust:3,margin")) == {}


def test_strategies_that_look_at_different_embeddings_are_refused():
    """There is one embedding in an episode: one of them would be given that of the other."""
    made = [make_strategy("kmeans"), make_strategy("coreset", embedding="patches")]
    with pytest.raises(UsageError, match="and these look at model and patches"):
        schedule(made, [5])
    calm = [make_strategy("kmeans", embedding="patches"), make_strategy("margin")]
    assert schedule(calm, [5]).embedding == "patches"


def test_what_one_tells_may_be_a_number_of_any_kind():
    def counting(key, signals, pool, budget):
        query = al.by_score(key, signals.log_probs[:, 0], pool, budget)
        return query._replace(info={"count": pool.num_labeled})

    made = schedule([al.strategy(counting, needs={"log_probs"}), make_strategy("margin")], [3])
    signals = Signals(log_probs=made_up.general(0, N, C).log_probs)
    ask = asking.quickly(made.select, static_argnums=3)
    found = [ask(jax.random.key(0), signals, asking.pool_of(N, range(n)), 2) for n in (2, 5)]
    assert [query.info["count"] for query in found] == [2, 0]


def test_it_is_named_wherever_a_strategy_is():
    everything = made_up.general(0, N, C)
    picked = al.select(
        "typiclust:4,margin", budget=3, labeled=[3, 9, 1, 7], embedding=everything.embedding,
        log_probs=everything.log_probs,
    )  # fmt: skip
    alone = al.select("margin", budget=3, labeled=[3, 9, 1, 7], log_probs=everything.log_probs)
    assert picked.rows.tolist() == alone.rows.tolist()
    # Asked again it is not compiled again, as what is from outside must be.
    assert _made("typiclust:4,margin", {}) is _made("typiclust:4,margin", {})
    told = page("typiclust:4,margin")
    assert told.startswith("Until 4 labels: typiclust")
    assert "Then: margin" in told
