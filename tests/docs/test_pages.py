"""What the documentation says is what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from registry_wsgi import errors

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
    blocks = re.findall(r"^```python\n(.*?)^```", (DOCS / "embedding.md").read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 6
    for block in blocks:
        exec(compile(block, "embedding.md", "exec"), names)
