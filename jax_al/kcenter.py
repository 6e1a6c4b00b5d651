"""Exact greedy k-center for someone who only has a matrix: the door to `geometry.kcenter`.

python -m jax_al.kcenter points.npy --num-picks 5000 --out picks.npy
"""

from jax_al.geometry.kcenter import Greedy, kcenter_greedy, kcenter_greedy_traced

__all__ = ["Greedy", "kcenter_greedy", "kcenter_greedy_traced"]

if __name__ == "__main__":
    import sys

    from jax_al.cli.kcenter import main

    sys.exit(main())
