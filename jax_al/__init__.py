"""Deep active learning in JAX/Flax."""
