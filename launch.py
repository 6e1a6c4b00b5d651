"""Runs one experiment: python launch.py --config=configs/NAME.py [--config.FIELD=VALUE ...].

The same command again goes on where the last one stopped. `jax-al run` is the same door.
"""

import sys

from jax_al.cli.main import launch

if __name__ == "__main__":
    launch(sys.argv[1:])
