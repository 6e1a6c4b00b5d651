import os
import subprocess
import sys

from jax_al.record.files import merge, write_part
from jax_al.session.records import Pick, read_metrics, read_picks


def row(strategy, seed, episode):
    return {"strategy": strategy, "seed": seed, "episode": episode, "test_accuracy": None}


def part(root, strategy, seed, episodes=2):
    """Writes a part; returns its rows and picks."""
    rows = [row(strategy, seed, episode + 1) for episode in range(episodes)]
    picks = [Pick(seed, k, k, 7 * k, f'a "name", {k}', 1, strategy) for k in range(episodes)]
    write_part(root / "parts" / strategy / f"seed_{seed}", rows, picks)
    return rows, picks


def test_the_root_has_all_parts_by_strategy_as_given_seed_and_episode(tmp_path):
    merge(tmp_path, ["random", "coreset"])
    assert not (tmp_path / "metrics.jsonl").exists()
    (tmp_path / "parts/coreset/seed_3").mkdir(parents=True)  # has begun, and ended no episode
    wanted = ("random", 2), ("random", 10), ("coreset", 0), ("bald", 1)
    made = {key: part(tmp_path, *key) for key in reversed(wanted)}
    merge(tmp_path, ["random", "coreset"])
    expected = [made[key] for key in wanted]
    assert read_metrics(tmp_path / "metrics.jsonl") == [r for rows, _ in expected for r in rows]
    assert read_picks(tmp_path / "picks.csv") == [p for _, picks in expected for p in picks]
    header = (tmp_path / "picks.csv").read_text().splitlines()[0]
    assert header == "seed,episode,order,index,id,label,strategy"


def test_only_files_that_differ_are_replaced(tmp_path):
    for episodes, is_new in ((2, True), (2, False), (3, True)):
        part(tmp_path, "random", 0, episodes)
        merge(tmp_path, ["random"])
        files = list(tmp_path.rglob("*.jsonl")) + list(tmp_path.rglob("*.csv"))
        assert [os.stat(path).st_mtime != 0 for path in files] == [is_new] * 4
        for path in files:
            os.utime(path, (0, 0))


def test_of_many_processes_that_merge_the_last_one_has_seen_all(tmp_path):
    program = (
        "import pathlib, sys; from tests.test_files import part; "
        "from jax_al.record.files import merge; root = pathlib.Path(sys.argv[1])\n"
        "for seed in range(int(sys.argv[2]), 60, 3):\n"
        "    part(root, 'random', seed); merge(root, ['random'])"
    )
    done = [
        subprocess.Popen([sys.executable, "-c", program, str(tmp_path), str(k)]) for k in range(3)
    ]
    assert [process.wait(timeout=300) for process in done] == [0, 0, 0]
    rows = read_metrics(tmp_path / "metrics.jsonl")
    assert [(r["seed"], r["episode"]) for r in rows] == [(s, e) for s in range(60) for e in (1, 2)]
    assert len(read_picks(tmp_path / "picks.csv")) == 120
