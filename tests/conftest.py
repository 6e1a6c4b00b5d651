"""What holds for every test: strict promotion, so that no dtype or shape changes unseen."""

import atexit
import os
import shutil
import tempfile

# Before jax starts: 8 CPU devices would hide single-device mistakes, so tests that want several
# start a process of their own.
os.environ.setdefault("JAX_PLATFORMS", "cpu")
# The same tiny programs are compiled by many tests, and by the processes they start.
os.environ["JAX_COMPILATION_CACHE_DIR"] = tempfile.mkdtemp(prefix="jax_al_tests_")
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"

import jax

atexit.register(shutil.rmtree, os.environ["JAX_COMPILATION_CACHE_DIR"], ignore_errors=True)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
