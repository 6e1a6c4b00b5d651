"""The pages of docs/ hang together: links, tables, snippets, claims; every part has its entry."""

import re
import subprocess
import sys

import pages
import pytest

import jax_al as al
from benchmarks.claims import read_claims
from jax_al.strategies import STRATEGIES, strategy_table

DOCS = pages.ROOT / "docs"
PAGES = {str(page.relative_to(DOCS)): page for page in pages.PAGES}
EVERY = [pages.README, *pages.PAGES, *pages.MEASURED]
WITH_SNIPPETS = [
    name
    for name, page in PAGES.items()
    if pages.snippets(page, "python") and name != "cluster.md"  # it needs a cluster
]


def test_every_page_is_in_the_menu_and_every_entry_is_a_page():
    listed = re.findall(r": (\S+\.md)$", (pages.ROOT / "mkdocs.yml").read_text(), re.MULTILINE)
    there = [*PAGES, *(f"measured/{page.name}" for page in pages.MEASURED)]
    assert sorted(listed) == sorted(there)


def anchors(page):
    """Returns the names of the headings of a page, as GitHub and MkDocs make them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    named = [found.group(1) for text in headings if (found := re.search(r"{#(\w+)}$", text))]
    return [*named, *(re.sub(r"[^\w\- ]", "", h).lower().replace(" ", "-") for h in headings)]


@pytest.mark.parametrize("page", EVERY, ids=lambda page: str(page.relative_to(pages.ROOT)))
def test_a_link_leads_to_a_file(page):
    for target in pages.links(page):
        path = target.partition("#")[0]
        if path and not re.match(r"https?:", path):
            assert (page.parent / path).is_file(), target
        if target.partition("#")[2] and not target.startswith("http"):
            assert target.partition("#")[2] in anchors(page.parent / path if path else page), target


@pytest.mark.parametrize("name", WITH_SNIPPETS)
def test_the_snippets_of_a_page_run_one_after_the_other(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = pages.make_files(tmp_path)
    for snippet in pages.snippets(PAGES[name], "python"):
        exec(snippet, names)


def test_the_commands_that_only_pages_show_run_one_after_the_other(fork, tmp_path):
    pages.make_files(tmp_path)
    seen = dict.fromkeys(pages.commands(pages.README))
    shown = [PAGES[f"{name}.md"] for name in ("tutorial", "data", "select", "kcenter", "report")]
    for command in (command for page in shown for command in pages.commands(page)):
        if command not in seen:
            done = pages.run(fork, command, tmp_path)
            assert done.returncode == 0, f"{command}\n{done.stderr}"


def test_a_table_is_the_one_that_its_script_wrote():
    tables = re.findall(
        r"<!-- (docs/\S+) -->\n(.*?)<!-- /\1 -->", PAGES["results.md"].read_text(), re.DOTALL
    )
    assert len(tables) == 2
    for name, shown in tables:
        assert shown.strip() == (pages.ROOT / name).read_text().strip(), name


def entries():
    """Returns the entry of each strategy on their page."""
    found = re.findall(
        r"^### (\w+)\n(.*?)(?=^##|\Z)", PAGES["strategies.md"].read_text(), re.MULTILINE | re.DOTALL
    )
    assert len(found) == len(dict(found))
    return dict(found)


def test_each_strategy_has_an_entry_with_what_the_table_says_of_it():
    assert sorted(entries()) == sorted(STRATEGIES)
    for line in strategy_table().splitlines()[2:]:
        name, _, needs, chance, options = (cell.strip() for cell in line[1:-1].split("|"))
        options = f"options {options}" if options else "no options"
        fact = f"Looks at {needs}; chance: {chance}; {options}."
        assert entries()[name.strip("`")].startswith(fact), fact


def test_an_entry_says_when_and_its_figures_are_measured():
    tables = "".join(page.read_text() for name, page in PAGES.items() if "_compare" in name)
    tables += "".join(
        PAGES[f"{name}.md"].read_text() for name in ("cifar_ten_seeds", "cifar_study")
    )
    for name, entry in entries().items():
        assert "**When:**" in entry, name
        for figure in re.findall(r"[+-]0\.\d{3}", entry):
            assert re.search(rf"[* ]{re.escape(figure)} ", tables), (name, figure)


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_paper_that_an_entry_cites_is_one_that_the_code_cites(name):
    maker = STRATEGIES[name]
    module = sys.modules[maker.__module__]
    known = set(re.findall(r"\d{4}\.\d{5}", f"{maker.__doc__} {module.__doc__}"))
    assert set(re.findall(r"\d{4}\.\d{5}", entries()[name])) <= known


def test_every_public_name_is_in_the_reference():
    text = "\n".join(page.read_text() for name, page in PAGES.items() if "reference/" in name)
    shown = set(re.findall(r"^::: (\S+)$", text, re.MULTILINE))
    public = {getattr(al, name) for name in al.__all__ if name != "testing"}
    public |= {*STRATEGIES.values(), *(getattr(al.testing, name) for name in al.testing.__all__)}
    for thing in public:
        if hasattr(thing, "__qualname__"):  # SKIP and the like are numbers
            assert f"{thing.__module__}.{thing.__qualname__}" in shown


def claims():
    """Returns the rows of the table of claims."""
    return read_claims(PAGES["claims.md"].read_text())


def test_a_claim_has_command_commit_machine_and_date():
    for claim, command, minutes, commit, machine, date in claims():
        paths = re.findall(r"(?:benchmarks|tests)/\w+\.py", command)
        for path in paths + [
            f"configs/{name}.py" for name in re.findall(r"jax-al run (\w+)", command)
        ]:
            assert (pages.ROOT / path).is_file(), path
        assert command, claim
        assert machine, claim
        assert (minutes is None) == (date == "always"), claim
        assert re.fullmatch(r"2026-\d\d-\d\d|always", date), claim
        assert (date == "always") == (commit == "every commit"), claim


def test_the_commit_of_a_claim_is_one_of_ours():
    git = ("git", "-C", str(pages.ROOT))
    shallow = subprocess.run([*git, "rev-parse", "--is-shallow-repository"], capture_output=True)
    if shallow.stdout.strip() != b"false":
        pytest.skip("no history here")
    for commit in re.findall(r"\b[0-9a-f]{7}\b", " ".join(one.commit for one in claims())):
        found = subprocess.run([*git, "cat-file", "-e", f"{commit}^{{commit}}"])
        assert found.returncode == 0, commit


TABLES = r"_(compare|seeds|budget|1000|study|first|tail|again)\.md$|flowers_features\.md$"


def test_every_table_of_results_belongs_to_a_claim():
    claimed = {target.partition("#")[0] for target in pages.links(PAGES["claims.md"])}
    tables = {name for name in PAGES if re.search(TABLES, name)}
    tables |= {f"../benchmarks/results/{page.name}" for page in pages.MEASURED}
    assert len(tables) == 12 + len(pages.MEASURED)
    assert tables <= claimed
