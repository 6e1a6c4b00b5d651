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


def test_piped_into_a_file_there_is_no_bar_and_no_escape(monkeypatch):
    def use(terminal):
        with terminal.progress(10):
            terminal.phase("seed 0, episode 1: training")
            terminal.advance(4)
            terminal.say("[a line] in brackets is no markup")

    text = shown(monkeypatch, use, is_terminal=False)
    assert "\x1b" not in text
    assert text.strip() == "[a line] in brackets is no markup"


def test_on_a_terminal_the_bar_says_what_goes_on(monkeypatch):
    def use(terminal):
        with terminal.progress(10):
            terminal.phase("seed 0, episode 1: training")
            terminal.advance(4)

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
