"""`python -m jax_al` is the command `jax-al`."""

from jax_al.cli.door import main

if __name__ == "__main__":
    main()
