"""Runs one experiment: python launch.py --config=configs/NAME.py [--config.FIELD=VALUE ...].

The same command again goes on where the last one stopped.
"""

import pathlib

from jax_al.cli.main import launch

if __name__ == "__main__":
    launch(recipes=pathlib.Path(__file__).parent / "configs")
