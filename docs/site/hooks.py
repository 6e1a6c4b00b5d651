"""What MkDocs is told besides mkdocs.yml: tables of benchmarks become pages; nothing is fetched.

The tables lie where their scripts write them, in benchmarks/results. Pages link to them there, so
that the links hold in a checkout too; in the site they are the pages `measured/NAME`.
"""

import pathlib
import re

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File

MEASURED = "../benchmarks/results/"
DOCS = "../../docs/"  # as a table in benchmarks/results names the pages here
SOURCE = '<details class="mkdocstrings-source"'
FETCHED = re.compile(r"<(?:script|img|iframe|source)\b[^>]*\ssrc=\"?(?:https?:)?//[^ >]*")
LINKED = re.compile(r"<link\b[^>]*rel=\"?(?:stylesheet|preconnect|icon)[^>]*href=\"?(?:https?:)?//")


def on_files(files, config):
    """Adds the tables and pictures of the benchmarks."""
    results = pathlib.Path(config.config_file_path).parent / "benchmarks/results"
    for path in sorted([*results.glob("*.md"), *results.glob("*.png")]):
        files.append(File.generated(config, f"measured/{path.name}", abs_src_path=str(path)))
    return files


def on_page_markdown(markdown, page, config, files):
    """Lets links to the tables, and those of the tables, lead to their pages."""
    if page.file.src_uri.startswith("measured/"):
        return markdown.replace(f"]({DOCS}", "](../")
    return markdown.replace(f"]({MEASURED}", "](measured/")


def on_page_content(html, page, config, files):
    """Opens the sources of types, whose shapes stand in comments; <e_i, e_j> is no tag."""
    html = html.replace(f"{SOURCE}>", f"{SOURCE} open>")
    return re.sub(r"<(\w_\w, \w_\w)>", r"&lt;\1&gt;", html)


def on_post_page(output, page, config):
    """Refuses a page that would fetch something from elsewhere."""
    for found in (FETCHED.search(output), LINKED.search(output)):
        if found:
            raise PluginError(f"{page.file.src_uri} would fetch something: {found.group()}")
    return output
