"""`python -m jax_al.report` is the command `jax-al report`."""

import sys

from jax_al.cli.report import main

if __name__ == "__main__":
    sys.exit(main())
