"""What the pages of the project show: commands, Python, YAML."""

from __future__ import annotations

import re
from dataclasses import dataclass
from textwrap import dedent
from typing import TYPE_CHECKING

from tests.packaging import PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGES = [
    path.relative_to(PROJECT).as_posix()
    for pattern in ("*.md", "docs/*.md", "examples/*/README.md", "plugins/*/README.md", "benchmarks/README.md")
    for path in sorted(PROJECT.glob(pattern))
]
_BLOCK = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    language: str
    content: str


def path_of(page: str) -> Path:
    return PROJECT / page


def blocks(page: str, *languages: str) -> Iterator[Block]:
    """Yield the blocks of a page that are in one of the languages, in order; all blocks if none is named."""
    for language, content in _BLOCK.findall(path_of(page).read_text()):
        if not languages or language in languages:
            yield Block(language, dedent(content))


def commands_of(block: Block) -> list[str]:
    """Return the commands of a block, each on one line and without the comment behind it."""
    joined = block.content.replace("\\\n", "")
    lines = (re.sub(r"\s+#.*$", "", line).strip() for line in joined.splitlines())
    return [line for line in lines if line]


def commands(page: str) -> list[str]:
    return [command for block in blocks(page, "sh") for command in commands_of(block)]
