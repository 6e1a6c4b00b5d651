"""Runs the commands of docs/claims.md again: those that take up to so many minutes, quickest first.

    make results                   # what there is, and how long each takes
    make results MINUTES=10        # run those of up to ten minutes each
    python benchmarks/claims.py --minutes 10 --only kcenter

A claim whose minutes are a dash is not run: it holds with every run of the tests. Each command is
one of a shell in the root of the clone, with this Python's programs first on the path. A run that
is in runs/ already is gone on with, so what is to be measured anew is removed there first; what
changed in docs/ and benchmarks/results/ says `git diff`. Those on CIFAR-10 and
Flowers-102 want $TFDS_DATA_DIR or a download, those beside other people's code the `bench` extra. A
command that fails is told and the next one run; the exit status is then 1.
"""

import argparse
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "docs" / "claims.md"


class Claim(NamedTuple):
    """A row of the table."""

    claim: str
    command: str  # of a shell
    minutes: float | None  # on two quiet cores; None: not one to run alone
    commit: str
    machine: str
    date: str


def read_claims(text: str) -> list[Claim]:
    """Returns the rows of the table in `text`, Markdown."""
    rows = text.split("|---|---|---:|---|---|---|\n")[1].split("\n\n")[0].splitlines()
    found = []
    for row in rows:
        claim, command, minutes, *rest = (cell.strip() for cell in row.strip("|").split(" | "))
        number = float(minutes.replace(",", "")) if minutes != "-" else None
        found.append(Claim(claim, " && ".join(re.findall("`(.*?)`", command)), number, *rest))
    return found


def main() -> int:
    """Lists or runs; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=0, help="0: only list them")
    parser.add_argument("--only", default="", help="a text that the command holds")
    args = parser.parse_args()
    claims = [one for one in read_claims(TABLE.read_text()) if args.only in one.command]
    known = sorted((one.minutes, one) for one in claims if one.minutes is not None)
    if not args.minutes:
        for minutes, one in known:
            print(f"{minutes:6g} min  {one.command}")
        print("make results MINUTES=10 runs those of up to ten minutes each.")
        return 0
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    failed = []
    for minutes, one in known:
        if minutes > args.minutes:
            continue
        print(f"\n== {one.command}\n   some {minutes:g} minutes", flush=True)
        start = time.monotonic()
        done = subprocess.run(one.command, shell=True, cwd=ROOT, env=os.environ | {"PATH": path})
        print(
            f"   {(time.monotonic() - start) / 60:.1f} minutes, exit {done.returncode}", flush=True
        )
        if done.returncode:
            failed.append(one.command)
    for command in failed:
        print(f"Failed: {command}", file=sys.stderr)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
