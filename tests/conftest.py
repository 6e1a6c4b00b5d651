"""What holds for every test: strict promotion, so that no dtype or shape changes unseen."""

import os

# Before jax starts: 8 CPU devices would hide single-device mistakes, so tests that want several
# start a process of their own.
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax

jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
