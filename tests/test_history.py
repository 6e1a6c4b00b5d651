import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax_al.session.history import History, is_finished, is_last, load, positions, replay

from jax_al.errors import UsageError
from jax_al.session.records import (
    Pick,
    append_metrics,
    append_picks,
    read_metrics,
    read_picks,
    rewrite,
)
from jax_al.types import NOTHING, UNKNOWN

N = 9
FIELDS = {"initial_size": 2, "budget": 3, "max_episodes": 3}


def size_of(episode, fields, owned):
    wanted = fields["budget"] if episode else fields["initial_size"]
    return min(wanted, N - owned)


def buy(seed, episode, owned, fields):
    """What `episode` buys: any rule will do that depends on nothing else."""
    order = np.random.default_rng(seed).permutation(N)
    return [
        Pick(seed, episode, k, int(order[k]), f"{order[k]}.png", int(order[k]) % 4)
        for k in range(owned, owned + size_of(episode, fields, owned))
    ]


def go_on(workdir, fields=FIELDS, seeds=(0, 1)):
    """The loop of the experiment without its networks; returns each append, in order."""
    appended = []
    done = load(workdir, fields, N)
    for seed in seeds:
        history = done.get(seed, History([], []))
        if is_finished(history, fields["max_episodes"], N):
            continue
        metrics, picks = list(history.metrics), list(history.picks)

        def label(episode, owned, picks=picks, seed=seed):
            picks += (bought := buy(seed, episode, owned, fields))
            append_picks(workdir / "picks.csv", bought)
            appended.append(("picks.csv", bought))

        if not picks:
            label(0, 0)
        episode, last = len(metrics), False
        while not last:
            episode += 1
            so_far = History(metrics, picks)
            owned, bought = len(so_far.owned(episode)), so_far.bought(episode)
            last = is_last(episode, owned, fields["max_episodes"], N)
            if not last and not bought:
                label(episode, owned)
            row = {
                "seed": seed,
                "episode": episode,
                "num_labeled": owned,
                "num_bought": 0 if last else 3,
            }
            metrics.append(row)
            append_metrics(workdir / "metrics.jsonl", row)
            appended.append(("metrics.jsonl", row))
    load(workdir, fields, N)
    return appended


def contents(workdir):
    return {name: (workdir / name).read_bytes() for name in ("metrics.jsonl", "picks.csv")}


def whole_run(workdir, **changes):
    workdir.mkdir(exist_ok=True)
    go_on(workdir, FIELDS | changes)
    return contents(workdir)


def kept(workdir):
    """What a reader finds."""
    return read_metrics(workdir / "metrics.jsonl"), read_picks(workdir / "picks.csv")


def started(workdir, data):
    workdir.mkdir()
    for name, text in data.items():
        if text:
            (workdir / name).write_bytes(text)
    return workdir


def test_a_kill_at_any_byte_of_any_write_changes_nothing_in_the_end(tmp_path):
    """Replays the writes of a run, each cut off at every one of its bytes, and goes on."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    states, now = [], {"picks.csv": b"", "metrics.jsonl": b""}
    for name, value in go_on(scratch, seeds=(0,)):
        target = tmp_path / "one"
        target.mkdir(exist_ok=True)
        (target / name).write_bytes(now[name])
        (append_picks if name == "picks.csv" else append_metrics)(target / name, value)
        after = (target / name).read_bytes()
        states += [now | {name: after[:cut]} for cut in range(len(now[name]), len(after))]
        now = now | {name: after}
    whole = contents(scratch)
    assert now == whole
    for number, state in enumerate([*states, now]):
        workdir = started(tmp_path / str(number), state)
        go_on(workdir, seeds=(0,))
        assert contents(workdir) == whole, state


def test_records_cut_off_at_any_two_bytes_are_continued_or_refused(tmp_path_factory):
    whole = whole_run(tmp_path_factory.mktemp("whole"))
    cuts = {name: st.integers(0, len(text)) for name, text in whole.items()}

    @settings(deadline=None, max_examples=100)
    @given(st.fixed_dictionaries(cuts))
    def check(cut):
        state = {name: whole[name][: cut[name]] for name in whole}
        workdir = started(tmp_path_factory.mktemp("cut") / "run", state)
        try:
            go_on(workdir)
        except UsageError:
            assert kept(workdir) == kept(started(workdir.with_name("unread"), state))
        else:
            assert contents(workdir) == whole

    check()


def test_a_finished_run_has_nothing_left_to_do_and_is_not_touched(tmp_path):
    whole = whole_run(tmp_path)
    assert all(is_finished(h, 3, N) for h in load(tmp_path, FIELDS, N).values())
    assert go_on(tmp_path) == []
    assert contents(tmp_path) == whole


def test_half_a_purchase_is_taken_back_on_disk_too(tmp_path):
    picks = buy(0, 0, 0, FIELDS) + buy(0, 1, 2, FIELDS)
    row = {"seed": 0, "episode": 1, "num_labeled": 2}
    append_picks(tmp_path / "picks.csv", picks)
    append_metrics(tmp_path / "metrics.jsonl", row)
    append_picks(tmp_path / "picks.csv", buy(0, 2, 5, FIELDS)[:2])
    assert load(tmp_path, FIELDS, N) == {0: History([row], picks)}
    assert read_picks(tmp_path / "picks.csv") == picks


@pytest.mark.parametrize("longer", [4, 5])
def test_an_extended_run_equals_one_that_was_as_long_from_the_start(tmp_path, longer):
    whole_run(tmp_path / "run", max_episodes=2)
    fields = FIELDS | {"max_episodes": longer}
    before = read_metrics(tmp_path / "run" / "metrics.jsonl")
    kept = load(tmp_path / "run", fields, N)
    assert [row["episode"] for row in kept[0].metrics] == [1]
    # On disk the old row stays until the new one is there.
    assert read_metrics(tmp_path / "run" / "metrics.jsonl") == before
    assert whole_run(tmp_path / "run", **fields) == whole_run(tmp_path / "other", **fields)


def test_a_run_that_has_bought_everything_is_finished_whatever_is_added(tmp_path):
    whole = whole_run(tmp_path, max_episodes=10)
    assert [r["num_labeled"] for r in read_metrics(tmp_path / "metrics.jsonl")] == [2, 5, 8, 9] * 2
    assert go_on(tmp_path, FIELDS | {"max_episodes": 20}) == []
    assert contents(tmp_path) == whole


def test_fewer_episodes_than_are_on_record_is_refused(tmp_path):
    whole = whole_run(tmp_path)
    with pytest.raises(UsageError, match="max_episodes=2"):
        load(tmp_path, FIELDS | {"max_episodes": 2}, N)
    assert contents(tmp_path) == whole


def drop_rows(rows, picks):
    return rows[1:], picks


def drop_first_purchase(rows, picks):
    return rows, [pick for pick in picks if pick.episode]


def drop_all_picks(rows, picks):
    return rows, []


@pytest.mark.parametrize("damage", [drop_rows, drop_first_purchase, drop_all_picks])
def test_files_that_do_not_belong_together_are_refused(tmp_path, damage):
    go_on(tmp_path, seeds=(0,))
    rows, picks = damage(
        read_metrics(tmp_path / "metrics.jsonl"), read_picks(tmp_path / "picks.csv")
    )
    rewrite(tmp_path, rows, picks)
    before = contents(tmp_path)
    with pytest.raises(UsageError, match="do not belong together"):
        load(tmp_path, FIELDS, N)
    assert contents(tmp_path) == before


def test_an_episode_owns_what_was_bought_before_it(tmp_path):
    go_on(tmp_path, seeds=(0,))
    history = load(tmp_path, FIELDS, N)[0]
    for row in history.metrics:
        owned = history.owned(row["episode"])
        assert len(owned) == row["num_labeled"]
        assert owned == [p for e in range(row["episode"]) for p in history.bought(e)]


def test_replayed_picks_are_the_pool_that_bought_them():
    index = np.array([3, 5, 8, 13, 21])
    pool = replay([Pick(0, 0, 0, 13, "", 2), Pick(0, 1, 1, 3, "", 1)], index, 4)
    assert pool.order.tolist() == [3, 0, NOTHING, NOTHING]
    assert pool.labels.tolist() == [1, UNKNOWN, UNKNOWN, 2, UNKNOWN]
    assert int(pool.num_labeled) == 2


@given(st.sets(st.integers(0, 50), min_size=1), st.data())
def test_positions_are_where_the_indices_stand(indices, data):
    index = np.array(sorted(indices))
    wanted = np.array(data.draw(st.lists(st.sampled_from(sorted(indices)))), np.int64)
    np.testing.assert_array_equal(index[positions(wanted, index)], wanted)


@pytest.mark.parametrize("strange", [0, 4, 99])
def test_an_image_that_is_not_in_the_pool_is_named(strange):
    with pytest.raises(UsageError, match=f"the image {strange},"):
        positions(np.array([3, strange]), np.array([3, 5]))
