import io

import jax
import pytest
from rich.console import Console

from jax_al.errors import UsageError
from jax_al.record import terminal
from jax_al.record.terminal import Terminal, describe_devices

ROW = {
    "seed": 3,
    "episode": 2,
    "num_labeled": 1200,
    "train_loss": None,
    "test_accuracy": 0.25,
    "test_nll": 2.0,
    "cover_radius": 1.5,
    "seconds_train": 12.34,
    "seconds_evaluate": 0.0,
    "seconds_embed": 0.0,
    "seconds_select": 0.0,
}


def shown(monkeypatch, use, is_terminal):
    """What `use` prints, to a terminal or into a pipe."""
    screen = io.StringIO()
    console = Console(
        file=screen, force_terminal=is_terminal, width=80, highlight=False, soft_wrap=True
    )
    monkeypatch.setattr(terminal, "Console", lambda **_: console)
    use(Terminal())
    return screen.getvalue()


def test_a_row_stands_under_the_names_of_its_columns(monkeypatch):
    def use(terminal):
        terminal.header()
        terminal.row(ROW)

    header, row = shown(monkeypatch, use, is_terminal=False).splitlines()
    assert len(header) == len(row)
    assert row.split() == "3 2 1200 - 0.2500 2.000 1.500 12.3 0.0 0.0 0.00".split()  # noqa: SIM905


def test_of_several_strategies_a_column_comes_first_and_80_columns_are_enough(monkeypatch):
    begun = {"event": "run_begun", "facts": {"jax": "0.10"}, "total": 9}
    names = ["coreset", "uncertainty_coreset"]
    row = ROW | {"strategy": "coreset", "num_labeled": 50_000, "cover_radius": 123.456}

    def use(strategies):
        def of_them(terminal):
            terminal.on_event(begun | {"strategies": strategies})
            terminal.on_event({"event": "row", "row": row})
            terminal.on_event({"event": "run_ended"})

        return shown(monkeypatch, of_them, is_terminal=False).splitlines()

    for strategies in (names[:1], names):
        _, header, line = use(strategies)
        assert len(header) == len(line) <= 80
    assert header.split()[:2] == ["strategy", "seed"]
    assert line.split() == "coreset 3 2 50000 - 0.2500 2.000 123.456 12.3".split()  # noqa: SIM905


def test_one_bar_stands_over_all_parts_and_whatever_else_happens_is_passed_over(monkeypatch):
    def use(terminal):
        terminal.on_event({"event": "run_begun", "facts": {}, "strategies": "ab", "total": 8})
        for strategy in "ab":
            for event in (
                {"event": "part_begun", "strategy": strategy, "seed": 0},
                {"event": "phase", "text": f"{strategy}, seed 0, episode 1: training"},
                {"event": "asked", "request": 0, "rows": [1, 2]},
                {"event": "advance", "units": 3},
                {"event": "part_ended", "strategy": strategy, "seed": 0},
            ):
                terminal.on_event(event)
        terminal.on_event({"event": "run_ended"})

    text = shown(monkeypatch, use, is_terminal=True)
    assert "b, seed 0, episode 1: training" in text
    assert "75%" in text


def test_a_part_that_fails_is_told_on_stderr(monkeypatch, capsys):
    event = {"event": "part_failed", "strategy": "bait", "seed": 1, "error": "It diverged."}
    assert shown(monkeypatch, lambda one: one.on_event(event), is_terminal=False) == ""
    assert capsys.readouterr().err == "bait, seed 1 failed: It diverged.\n"


def test_piped_into_a_file_there_is_no_bar_and_no_escape(monkeypatch):
    def use(terminal):
        terminal.on_event({"event": "run_begun", "facts": {}, "strategies": ["a"], "total": 10})
        terminal.phase("seed 0, episode 1: training")
        terminal.advance(4)
        terminal.say("[a line] in brackets is no markup")
        terminal.on_event({"event": "run_ended"})

    text = shown(monkeypatch, use, is_terminal=False)
    assert "\x1b" not in text
    assert text.splitlines()[-1] == "[a line] in brackets is no markup"


def test_on_a_terminal_the_bar_says_what_goes_on(monkeypatch):
    def use(terminal):
        terminal.on_event({"event": "run_begun", "facts": {}, "strategies": ["a"], "total": 10})
        terminal.phase("seed 0, episode 1: training")
        terminal.advance(4)
        terminal.on_event({"event": "run_ended"})

    text = shown(monkeypatch, use, is_terminal=True)
    assert "seed 0, episode 1: training" in text
    assert "40%" in text


def test_the_devices_and_their_memory(monkeypatch):
    assert describe_devices().startswith(f"{len(jax.devices())} x cpu (")

    def refuse():
        raise RuntimeError("Unable to initialize\n backend 'cuda'")

    monkeypatch.setattr(jax, "devices", refuse)
    with pytest.raises(UsageError, match="Unable to initialize backend 'cuda'"):
        describe_devices()
