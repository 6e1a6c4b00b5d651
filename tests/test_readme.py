"""What the README shows as Python runs as it stands."""

import pathlib
import re

import numpy as np
import pytest

import jax_al

TEXT = (pathlib.Path(jax_al.__file__).parents[1] / "README.md").read_text()
SNIPPETS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.parametrize("number", range(len(SNIPPETS)))
def test_a_snippet_runs(number, capsys):
    points = np.random.default_rng(0).standard_normal((1_500, 3)).astype(np.float32)
    names = {"points": points}
    exec(SNIPPETS[number], names)
    if "learner" in names:
        lines = capsys.readouterr().out.splitlines()
        assert [line.split()[0] for line in lines] == ["20", "40", "60", "80"]
        assert float(lines[-1].split()[-1]) > float(lines[0].split()[-1])
