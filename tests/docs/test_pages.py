"""What the documentation says is what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from registry_wsgi import errors
from tests.docs.pages import blocks

DOCS = Path(__file__).parents[2] / "docs"


def test_the_table_of_errors_is_complete_and_true() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \| (\d+) \|", (DOCS / "errors.md").read_text(), re.MULTILINE)
    classes = [errors.RegistryError, *errors.RegistryError.__subclasses__()]
    assert {(name, code, int(status)) for name, code, status in rows} == {
        (each.__name__, each.code, each.status) for each in classes
    }


def test_the_examples_of_the_page_on_embedding_run() -> None:
    """One after the other, as they are read."""
    names: dict[str, object] = {"__name__": "embedding"}
    examples = list(blocks("docs/embedding.md", "python"))
    assert len(examples) >= 6
    for example in examples:
        exec(compile(example.content, "embedding.md", "exec"), names)


def test_links_between_pages_lead_somewhere() -> None:
    project = DOCS.parent
    pages = [page for page in project.rglob("*.md") if not {".venv", "data", "build"} & set(page.parts)]
    for page in pages:
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.relative_to(project)} links to {target}"


def test_links_to_headings_lead_to_one() -> None:
    for page in [DOCS.parent / "README.md", *DOCS.glob("*.md")]:
        for target, heading in re.findall(r"\]\(([^)#\s:]*)#([^)]+)\)", page.read_text()):
            text = (page.parent / target if target else page).read_text()
            headings = [
                re.sub(r"[^\w\- ]", "", line.lstrip("# ").lower()).replace(" ", "-")
                for line in text.splitlines()
                if line.startswith("#")
            ]
            assert heading in headings, f"{page.name} links to {target}#{heading}"
