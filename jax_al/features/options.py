"""Options of features, checked in one way."""

from jax_al.errors import UsageError


def count(name: str, value: object, *, least: int = 1) -> None:
    """Makes sure that the option `name` is a whole number from `least` on.

    Raises:
      UsageError: it is not.
    """
    if type(value) is not int or value < least:
        raise UsageError(f"{name} is {value!r}, but must be a whole number, at least {least}.")


def switch(name: str, value: object) -> None:
    """Makes sure that the option `name` is true or false.

    Raises:
      UsageError: it is not.
    """
    if type(value) is not bool:
        raise UsageError(f"{name} is {value!r}, but must be true or false.")


def share(name: str, value: object) -> None:
    """Makes sure that the option `name` is a number from 0 to 1.

    Raises:
      UsageError: it is not.
    """
    if type(value) not in (int, float) or not 0 <= value <= 1:  # type: ignore[operator]
        raise UsageError(f"{name} is {value!r}, but must be a number from 0 to 1.")
