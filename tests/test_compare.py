import json

import numpy as np
import pytest

from jax_al import compare, experiment, records
from jax_al.base import UsageError
from tests.runs import tiny_config, without_times


def picks_of(directory, episode):
    picks = records.read_picks(directory / "picks.csv")
    return [(pick.seed, pick.index) for pick in picks if pick.episode == episode]


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    directory = tmp_path_factory.mktemp("runs") / "three"
    names = ("random", "coreset", "coreset@pixels_pca")
    compare.run(tiny_config(compare=names, num_seeds=2), directory)
    return directory


def test_each_part_is_what_it_is_alone(compared, tmp_path):
    experiment.run(tiny_config(strategy="coreset", num_seeds=2), tmp_path)
    assert without_times(compared / "coreset") == without_times(tmp_path)
    assert (compared / "coreset/picks.csv").read_text() == (tmp_path / "picks.csv").read_text()
    assert (compared / "curve.png").stat().st_size > 1000


def test_strategies_are_paired_by_seed(compared):
    first = {name: without_times(compared / name)[0] for name in ("random", "coreset")}
    assert first["random"]["test_accuracy"] == first["coreset"]["test_accuracy"]
    assert picks_of(compared / "random", 0) == picks_of(compared / "coreset", 0)
    assert picks_of(compared / "random", 1) != picks_of(compared / "coreset", 1)
    one, other = (picks_of(compared / name, 1) for name in ("coreset", "coreset@pixels_pca"))
    assert one != other


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


def test_an_embedding_of_other_tools_is_named_by_its_file(tmp_path):
    np.save(tmp_path / "dino.npy", np.random.default_rng(0).normal(size=(150, 3)))
    entry = f"coreset@{tmp_path / 'dino.npy'}"
    compare.run(tiny_config(compare=(entry,), max_episodes=2), tmp_path / "runs")
    assert len(without_times(tmp_path / "runs" / "coreset@dino")) == 2
