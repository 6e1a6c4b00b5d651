import json
import shutil

import numpy as np
import pytest

from jax_al import strategies
from jax_al.drivers import compare, experiment, learner, phases
from jax_al.errors import UsageError
from jax_al.session import records, workdir
from tests.runs import tiny_config, without_times

# Tests that share one comparison go to one process, which then makes it once.
of_compared = pytest.mark.xdist_group("compared")


def picks_of(directory, episode):
    picks = records.read_picks(directory / "picks.csv")
    return [(pick.seed, pick.index) for pick in picks if pick.episode == episode]


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    directory = tmp_path_factory.mktemp("runs") / "three"
    names = ("random", "coreset", "coreset@pixels_pca")
    compare.run(tiny_config(compare=names, num_seeds=2), directory)
    return directory


@of_compared
def test_each_part_is_what_it_is_alone(compared, tmp_path):
    experiment.run(tiny_config(strategy="coreset", num_seeds=2), tmp_path)
    assert without_times(compared / "coreset") == without_times(tmp_path)
    assert (compared / "coreset/picks.csv").read_text() == (tmp_path / "picks.csv").read_text()
    assert (compared / "curve.png").stat().st_size > 1000


@of_compared
def test_strategies_are_paired_by_seed(compared):
    first = {name: without_times(compared / name)[0] for name in ("random", "coreset")}
    assert first["random"]["test_accuracy"] == first["coreset"]["test_accuracy"]
    assert picks_of(compared / "random", 0) == picks_of(compared / "coreset", 0)
    assert picks_of(compared / "random", 1) != picks_of(compared / "coreset", 1)
    one, other = (picks_of(compared / name, 1) for name in ("coreset", "coreset@pixels_pca"))
    assert one != other


@of_compared
def test_what_is_finished_is_not_run_again_and_more_seeds_are(compared, capsys):
    before = (compared / "coreset" / "metrics.jsonl").read_text()
    compare.run(tiny_config(compare=("random", "coreset"), num_seeds=2), compared)
    assert capsys.readouterr().out.count("This run is finished") == 2
    compare.run(tiny_config(compare=("coreset",), num_seeds=3), compared)
    assert (compared / "coreset" / "metrics.jsonl").read_text().startswith(before)
    config = json.loads((compared / "coreset" / "config.json").read_text())
    assert (config["strategy"], config["compare"]) == ("coreset", [])


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("random", "corset"), "did you mean 'coreset'"),
        (("random", "random"), "names 'random' twice"),
        (("random@pixels_pca",), "'random' has no option 'embedding'"),
        (("coreset@nothing",), "'nothing', but must be model, random_net"),
    ],
)
def test_a_mistake_in_any_part_is_told_before_the_first_runs(names, message, tmp_path):
    with pytest.raises(UsageError, match=message):
        compare.run(tiny_config(compare=names), tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_interrupted_while_overwriting_it_goes_on_without(tmp_path, monkeypatch):
    names = ("random", "coreset")
    compare.run(tiny_config(compare=names, max_episodes=1), tmp_path)
    run = experiment.run

    def run_until_interrupted(config, directory, **options):
        if config.strategy == "coreset":
            raise KeyboardInterrupt
        run(config, directory, **options)

    changed = tiny_config(compare=names, max_episodes=1, lr=0.01)
    with monkeypatch.context() as patched:
        patched.setattr(experiment, "run", run_until_interrupted)
        with pytest.raises(KeyboardInterrupt):
            compare.run(changed, tmp_path, overwrite=True)
    assert not (tmp_path / "report.html").exists()  # it was about what has been removed
    for name in names:  # so a watching report knows that there is more to come
        assert json.loads((tmp_path / name / "config.json").read_text())["lr"] == 0.01
        assert (tmp_path / name / "metrics.jsonl").exists() == (name == "random")
    compare.run(changed, tmp_path)
    assert all(len(without_times(tmp_path / name)) == 1 for name in names)


def test_nothing_is_removed_while_anything_can_be_refused(tmp_path):
    names = ("random", "coreset")
    compare.run(tiny_config(compare=names, max_episodes=1), tmp_path)
    before = (tmp_path / "random" / "metrics.jsonl").read_bytes()
    np.save(tmp_path / "short.npy", np.zeros((3, 2)))
    bad = tiny_config(compare=(*names, f"coreset@{tmp_path / 'short.npy'}"))
    with pytest.raises(UsageError, match="has 3 rows"):
        compare.run(bad, tmp_path, overwrite=True)
    with workdir.locked(tmp_path / "coreset"), pytest.raises(UsageError, match="Another process"):
        compare.run(tiny_config(compare=names), tmp_path, overwrite=True)
    assert (tmp_path / "random" / "metrics.jsonl").read_bytes() == before


def failing(error):
    def make():
        def select(key, signals, pool, budget):
            raise error

        return strategies.STRATEGIES["random"]()._replace(select=select)

    return make


@pytest.mark.parametrize("names", [("random", "broken", "coreset"), ("broken", "coreset")])
@pytest.mark.parametrize("kind", [UsageError, ZeroDivisionError])
def test_one_strategy_that_fails_does_not_stop_the_others(
    names, kind, tmp_path, monkeypatch, capsys
):
    monkeypatch.setitem(strategies.STRATEGIES, "broken", failing(kind("No.")))
    is_bug = kind is ZeroDivisionError
    told = rf"1 of {len(names)} strategies failed. broken: {'Zero.*above' if is_bug else 'No'}"
    with pytest.raises(RuntimeError if is_bug else UsageError, match=told):
        compare.run(tiny_config(compare=names, max_episodes=2), tmp_path)
    assert ("Traceback" in capsys.readouterr().err) == is_bug
    assert len(without_times(tmp_path / "coreset")) == 2
    assert (tmp_path / "report.html").exists()


def test_what_fails_late_keeps_what_it_had_and_goes_on_next_time(tmp_path, monkeypatch):
    record, names = phases.record, ("entropy", "random")

    def record_until(this, seed, episode, *rest):
        if episode == 2 and this.fields["strategy"] == "entropy":
            raise ZeroDivisionError
        return record(this, seed, episode, *rest)

    config = tiny_config(compare=names)
    with monkeypatch.context() as patched:
        patched.setattr(phases, "record", record_until)
        with pytest.raises(RuntimeError, match="entropy"):
            compare.run(config, tmp_path)
    assert [len(without_times(tmp_path / name)) for name in names] == [1, 3]
    compare.run(config, tmp_path)
    experiment.run(tiny_config(strategy="entropy"), tmp_path / "alone")
    assert without_times(tmp_path / "entropy") == without_times(tmp_path / "alone")


@of_compared
def test_what_is_refused_changes_nothing(compared, tmp_path):
    names = ("random", "coreset")
    for name in names:
        shutil.copytree(compared / name, tmp_path / name)
    with pytest.raises(UsageError, match="can only grow"):
        compare.run(tiny_config(compare=names, num_seeds=2, max_episodes=1), tmp_path)
    for name in names:
        for file in ("config.json", "metrics.jsonl"):
            assert (tmp_path / name / file).read_bytes() == (compared / name / file).read_bytes()


def test_programs_are_shared_by_the_strategies(tmp_path, monkeypatch):
    made = []

    class Counted(learner.Program):
        def __init__(self, name, *arguments, **how):
            made.append(name)
            super().__init__(name, *arguments, **how)

    monkeypatch.setattr(learner, "Program", Counted)
    names = ("random", "coreset", "margin", "entropy", "kmeans", "kmeans@random_net", "ceal")
    compare.run(tiny_config(compare=names, max_episodes=2), tmp_path)
    every = {"init": 1, "evaluate": 1, "select": len(names)}
    # One set of signals for those that look at the embedding, one for the others; a cover radius
    # for kmeans with each embedding, the others tell it or have no embedding; ceal trains on up to
    # the whole pool.
    assert {name: made.count(name) for name in set(made)} == every | {
        "signals": 2,
        "cover": 2,
        "train_epoch": 2,
    }


def test_an_embedding_of_other_tools_is_named_by_its_file(tmp_path):
    np.save(tmp_path / "dino.npy", np.random.default_rng(0).normal(size=(150, 3)))
    entry = f"coreset@{tmp_path / 'dino.npy'}"
    compare.run(tiny_config(compare=(entry,), max_episodes=2), tmp_path / "runs")
    assert len(without_times(tmp_path / "runs" / "coreset@dino")) == 2
