"""The command jax-al: each of its words, what it writes, and sentences for mistakes."""

import csv
import importlib
import inspect
import os
import signal
import sys

import numpy as np
import pytest
from absl.testing import flagsaver

import jax_al as al
from jax_al.cli import door
from jax_al.cli.fields import OPTIONS
from jax_al.strategies.table import STRATEGIES
from tests.runs import ROOT, tiny_flags

HOST = "--config.model.name=tests.made_up_benchmarks:nearest_mean_on_host"


@pytest.fixture
def jax_al(monkeypatch, capsys, tmp_path):
    """Runs a command in this process, in a directory of its own: status, output, errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    importlib.import_module("jax_al.cli.main")  # what it defines is there before and after

    handlers = {
        kind: signal.getsignal(kind) for kind in (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE)
    }

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["jax-al", *map(str, words)])
        with pytest.raises(SystemExit) as stopped, flagsaver.flagsaver():
            door.main()
        return stopped.value.code, *capsys.readouterr()

    yield run
    for kind, handler in handlers.items():  # a run listens to them
        signal.signal(kind, handler)


def table(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--help",),
        ("run", "--help"),
        ("compare", "-h"),
        ("strategies",),
        ("fields",),
        ("--version",),
    ]
    + [(command, "--help") for command in door.COMMANDS],
)
def test_help_is_one_page_of_80_columns(jax_al, words):
    status, out, errors = jax_al(*words)
    assert (status, errors) == (0, "")
    assert max(map(len, out.splitlines())) <= 80
    if words not in (("strategies",), ("fields",)):
        assert len(out.splitlines()) <= 45
    assert words in (("--version",), ("fields",)) or "jax-al" in out


def test_each_command_has_its_word(jax_al):
    files = (ROOT / "jax_al" / "cli").glob("*.py")
    of_words = {f"jax_al.cli.{one.stem}" for one in files if "def main(words" in one.read_text()}
    assert of_words == set(door.COMMANDS.values())
    _, out, _ = jax_al("--help")
    assert {line.split()[1] for line in out.splitlines() if line.startswith("  jax-al ")} == {
        "run", "compare", "--version", *door.COMMANDS,
    }  # fmt: skip


def test_what_it_shows_of_strategies_is_what_there_is(jax_al):
    _, out, _ = jax_al("strategies")
    assert {line.split()[0] for line in out.splitlines() if line[:1].strip()} >= set(STRATEGIES)
    _, out, _ = jax_al("strategies", "coreset_robust")
    assert "max_points=100000" in out
    assert "1708.00489" in out
    status, _, errors = jax_al("strategies", "corset")
    assert (status, "did you mean 'coreset'" in errors) == (2, True)


def pick(radius=0.5, neighbors: int = 20, another_option_of_a_long_name=1, one_more_of_them=2):
    """Picks as random does."""
    del radius, neighbors, another_option_of_a_long_name, one_more_of_them
    return made


made = STRATEGIES["margin"]()


def test_a_strategy_of_ones_own_is_described_and_lines_are_wrapped(jax_al):
    status, out, _ = jax_al("strategies", "tests.test_door:pick")
    assert (status, out.splitlines()[1]) == (0, "looks at: log_probs")
    assert "radius=0.5, neighbors=20" in out
    assert "Picks as random does." in out
    assert max(map(len, out.splitlines())) <= 80
    assert "looks at: log_probs" in jax_al("strategies", "tests.test_door:made")[1]
    for name in STRATEGIES:
        facts = jax_al("strategies", name)[1].partition(inspect.getdoc(STRATEGIES[name]))[0]
        assert max(map(len, facts.splitlines())) <= 80, name


def test_what_it_shows_of_fields_is_what_there_is(jax_al):
    _, out, _ = jax_al("fields")
    assert [line.split(" = ")[0] for line in out.splitlines() if line[0] != " "] == list(OPTIONS)
    assert jax_al("fields", "seeds")[1].startswith("num_seeds = 1\n")
    assert "data.pool_size = None" in jax_al("fields", "data")[1]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["strategys"], "There is no command 'strategys': did you mean 'strategies'?"),
        (["run", "digits", "more"], "'more' is not a flag"),
        (["fields", "model.penalty"], "'model.penalty' is no field, but an option of the learner"),
        (["fields", "nonsense"], "There is no field 'nonsense'"),
        (["run", "digits", "--config=other"], "both name a recipe"),
        (["kcenter", "x.npy", "--num-picks=2", "--out=x.npy"], "name one more for --out"),
        (["kcenter", "y.npy", "--num-picks=2", "--out=x.npy", "--distances=x.npy"], "--distances"),
        (["kcenter", "y.npy", "--num-picks=2", "--out=x.csv", "--distances=d.csv"], "a .npy file"),
        (["run", "nowhere"], "There is no config file nowhere"),
        (["run", "--nonsense=1"], "nonsense"),
        (["compare"], "two or more strategies with commas"),
        (["compare", "random"], "'random' is one name"),
        (["compare", "random,corset"], "did you mean 'coreset'"),
        (["select", "margin", "--budget=2", "--out=x.csv"], "'margin' needs log_probs"),
        (["select", "margin", "--budget=2", "--out=no/x.csv"], "no is not a directory"),
        (["select", "random", "--budget=2", "--out=x", "--option=a"], "must be NAME=VALUE"),
        (["kcenter", "no.npy", "--num-picks=2", "--out=x.csv"], "no.npy does not exist"),
        (["kcenter", "no.npy", "--num-picks=2", "--out=x.txt"], "a .csv file or a .npy file"),
        (["select", "random", "--budget=2", "--out=x.txt"], "a .csv file or a .npy file"),
        (["strategies", "nowhere:pick"], "there is no module 'nowhere'"),
        (["report", "nowhere"], "nowhere"),
        (["fields", "budgt"], "did you mean 'budget'"),
        (["fields", "budget", "more"], "'more' is one word too many"),
        (["strategies", "--all"], "There is no flag --all: choose among --help"),
        (["select", "random", "--bugdet=2", "--out=x.csv"], "did you mean '--budget'?"),
        (["select", "random", "--budget=two", "--out=x.csv"], "must be a whole number"),
        (["kcenter", "y.npy", "--num-pick", "--out=x.csv"], "--num-picks wants a value"),
        (["kcenter", "y.npy", "--metric=cosin", "--out=x.csv"], "did you mean 'cosine'?"),
        (["report", "--wath=5 s", "run"], "did you mean '--watch'?"),
        (["strategies", "random", ""], "'' is one word too many"),
        (["report", "--wath=5", "run"], "did you mean '--watch'?"),
        (["features", "digits", "--ou=x.npy"], "the following arguments are required: --features"),
    ],
)
def test_a_mistake_is_one_sentence(jax_al, tmp_path, words, sentence):
    status, _, errors = jax_al(*words)
    assert status == 2
    assert sentence in errors
    assert errors.startswith("jax-al")
    assert len(errors.splitlines()) == 1
    assert not list(tmp_path.glob("x*"))


def test_select_writes_what_the_function_answers(jax_al, tmp_path):
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(40, 3))
    log_probs = (logits - np.log(np.exp(logits).sum(1, keepdims=True))).astype(np.float32)
    np.save("lp.npy", log_probs)
    np.save("rows.npy", np.array([3, 5]))
    np.save("absent.npy", np.arange(40) % 7 == 0)
    given = ["--log-probs=lp.npy", "--labeled=rows.npy", "--exclude=absent.npy", "--budget=6"]
    expected = al.select(
        "margin", budget=6, log_probs=log_probs, labeled=[3, 5], exclude=np.arange(40) % 7 == 0
    )
    status, out, _ = jax_al("select", "margin", *given, "--out=picks.csv")
    assert (status, out) == (0, "6 picks in picks.csv\n")
    lines = table("picks.csv")
    assert [int(line["order"]) for line in lines] == list(range(6))
    assert [int(line["row"]) for line in lines] == expected.rows.tolist()
    np.testing.assert_allclose([float(line["score"]) for line in lines], expected.scores, rtol=1e-6)
    assert jax_al("select", "margin", *given, "--out=picks.npy")[0] == 0
    np.testing.assert_array_equal(np.load("picks.npy"), expected.rows)
    blind = ["--log-probs=lp.npy", "--budget=4", "--out=picks.npy"]
    assert jax_al("select", "margin", *blind)[1] == "4 picks in picks.npy\n"
    two = np.sort(np.exp(log_probs), axis=1)[:, -2:]
    np.testing.assert_array_equal(np.load("picks.npy"), np.argsort(two[:, 1] - two[:, 0])[:4])
    np.save("x.npy", rng.normal(size=(40, 2)))
    blind = ["--embedding=x.npy", "--budget=4", "--out=picks.npy"]
    assert "They are random: representative cannot" in jax_al("select", "representative", *blind)[1]
    np.save("x.npy", rng.normal(size=(40, 2)))
    ball = ["--embedding=x.npy", "--budget=2", "--option", "radius=0.25", "--out=p.csv"]
    status, out, _ = jax_al("select", "probcover", *ball)
    assert (status, "radius 0.25" in out) == (0, True)


def test_kcenter_writes_a_table_and_distances(jax_al):
    points = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    np.save("points.npy", points)
    expected = al.kcenter_greedy(points, 5)
    how = ["--num-picks=5", "--out=picks.csv", "--distances=d.npy"]
    assert jax_al("kcenter", "points.npy", *how)[0] == 0
    lines = table("picks.csv")
    assert [int(line["row"]) for line in lines] == expected.indices.tolist()
    far = [float(line["distance"]) for line in lines]
    np.testing.assert_allclose(far, expected.distances, rtol=1e-6)
    np.testing.assert_array_equal(np.load("d.npy"), expected.distances)


def test_a_comparison_ends_in_its_outcome_and_how_to_go_on_is_said(fork, tmp_path):
    """As a process: the command line of absl is for the whole of it."""
    flags = [flag for flag in tiny_flags(max_episodes=2) if ".model." not in flag]
    flags += [HOST, "--config.num_seeds=2", "--workdir=out"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "HOME": str(tmp_path)}
    command = ("-m", "jax_al", "compare", "random,coreset", *flags)
    done = fork(*command, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in done.stdout
    assert lines[-3].startswith("coreset - random: ")
    assert " +- " in lines[-3]
    assert lines[-2] == "(mean accuracy over 10 to 17 labels, 2 seeds, 95% t interval)"
    assert lines[-1] == "Report: out/report.html"
