"""Command lines whose mistakes are one sentence, in place of all that could have been said."""

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from jax_al.errors import UsageError, did_you_mean
from jax_al.outside import expanded

_NUMBER = re.compile(r"-\d+|-\d*\.\d+")  # as argparse has it: a value, and no flag
_OF_ONE = re.compile(r"argument (\S+): (.*)", re.DOTALL)
_NO_VALUE = re.compile(r"invalid (int|float) value: (.*)", re.DOTALL)
_KINDS = {"int": "a whole number", "float": "a number"}


class Parser(argparse.ArgumentParser):
    """A parser that raises UsageError where argparse prints and exits."""

    def parse_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        """Parses `args`; None: those of this process.

        Raises:
          UsageError: they cannot be meant.
        """
        words = sys.argv[1:] if args is None else list(args)
        for name in map(_flag, words[: words.index("--")] if "--" in words else words):
            # First of all: a flag that lacks its last letter is not one that is missing.
            if name and not any(known.startswith(name) for known in self._option_string_actions):
                flags = [known for known in self._option_string_actions if known.startswith("--")]
                raise UsageError(f"There is no flag {name}: {did_you_mean(name, flags)}")
        return super().parse_args(words, namespace)

    def error(self, message: str) -> NoReturn:
        """Raises a UsageError that says what argparse would."""
        raise UsageError(self._sentence(message))

    def _sentence(self, message: str) -> str:
        more = f"{self.prog} --help tells what there is."
        if message.startswith("unrecognized arguments: "):
            words = message.removeprefix("unrecognized arguments: ").split(" ")
            return f"{words[0]!r} is one word too many: {more}"
        of_one = _OF_ONE.fullmatch(message)
        if of_one is None:
            return f"{message}; {more}"
        name, what = of_one.groups()
        flag = name.split("/")[-1]
        if found := _NO_VALUE.fullmatch(what):
            return f"{flag} is {found[2]}, but must be {_KINDS[found[1]]}."
        if what.startswith("ignored explicit argument"):
            return f"{flag} takes no value."
        if what.startswith("expected "):
            return f"{flag} wants a value: {flag}=VALUE."
        if found := re.match(r"invalid choice: '(.*)' \(choose from", what, re.DOTALL):
            choices = next(one.choices for one in self._actions if flag in one.option_strings)
            return f"{flag} is {found[1]!r}: {did_you_mean(found[1], map(str, choices or ()))}"
        return f"{flag}: {what}."


def path_of(text: str) -> Path:
    """Returns the path that an argument says, whose `type` this is; ~ is the home of a user.

    A shell says so itself, but not in --flag=~/place.

    Raises:
      ArgumentTypeError: it is empty, or there is no such user.
    """
    try:
        return expanded(text)
    except UsageError as error:  # of which argparse would keep that it is a ValueError
        raise argparse.ArgumentTypeError(str(error).removesuffix(".")) from None


def _flag(word: str) -> str:
    """Returns the name of the flag that a word is, empty if it is none."""
    name = word.partition("=")[0]  # as a value may hold blanks, which a name does not
    is_flag = name.startswith("-") and len(name) > 1 and " " not in name
    return name if is_flag and not _NUMBER.fullmatch(word) else ""
