import pytest

from jax_al.record.listeners import tell


class Notes:
    def __init__(self, error=None):
        self.heard, self._error = [], error

    def on_event(self, event):
        self.heard.append(event["event"])
        if self._error is not None:
            raise self._error


def test_one_that_fails_is_told_once_and_stops_nothing(capsys):
    ill, well = Notes(ZeroDivisionError("by zero")), Notes()
    listeners = [ill, well]
    for name in ("phase", "row"):
        tell(listeners, {"event": name})
    assert ill.heard == ["phase"]
    assert well.heard == ["phase", "row"]
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert err.startswith("Notes failed at 'phase' (ZeroDivisionError: by zero)")


def test_an_interrupt_passes():
    listeners = [Notes(KeyboardInterrupt())]
    with pytest.raises(KeyboardInterrupt):
        tell(listeners, {"event": "phase"})
    assert len(listeners) == 1
