"""Whatever the file and the environment say: a Configuration, or a ConfigurationError of one line."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from registry_wsgi.config import Configuration, examine, load
from registry_wsgi.config.schema import KEYS
from registry_wsgi.errors import ConfigurationError

WORDS = sorted({word.removesuffix("[]") for key in KEYS for word in key.path.split(".")} | {"filesystem", "inmemory"})
names = st.sampled_from(WORDS)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["0.1", ":5000", "info", "inmemory", "10s", "/a/", "https://a.example", "none", "redis", "tcp"]),
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names | scalars, inner, max_size=4),
    max_leaves=20,
)
documents = st.dictionaries(names | scalars, values, max_size=5)


@st.composite
def likely_documents(draw: st.DrawFn) -> dict[str, Any]:
    """Return documents of known keys with values of any type, which get past the first check more often."""
    document: dict[str, Any] = {"version": 0.1, "storage": {"inmemory": {}}}
    for key in draw(st.lists(st.sampled_from(KEYS), max_size=4)):
        section: Any = document
        *sections, last = key.path.replace("[]", "").replace("<driver>", "filesystem").split(".")
        for name in sections:
            section = section.setdefault(name, {}) if isinstance(section, dict) else {}
        if isinstance(section, dict):
            section[last] = draw(values)
    return document


variables = st.dictionaries(
    st.lists(names | st.sampled_from(["0", "1", "", "x"]), min_size=1, max_size=5).map(
        lambda words: "_".join(["REGISTRY", *words]).upper()
    ),
    st.text(max_size=8) | st.sampled_from(["true", "{}", "[]", "0.1", "{a: b}", ":5000"]) | values.map(yaml.safe_dump),
    max_size=5,
)


def check(source: Any, environ: dict[str, str]) -> None:
    problems = [str(problem) for problem in examine(source, environ)[1].problems]
    try:
        config = load(source, environ)
    except ConfigurationError as error:
        text = str(error)
        assert text
        assert text == problems[0]
        assert not any("\n" in problem for problem in problems)
    else:
        assert problems == []
        assert isinstance(config, Configuration)
        assert all(isinstance(warning, str) and "\n" not in warning for warning in config.warnings)


@given(documents | likely_documents(), variables)
def test_any_mapping_and_environment(document: dict[str, Any], environ: dict[str, str]) -> None:
    check(document, environ)


fragments = st.sampled_from(
    ["version: 0.1\n", "storage: ", "&a ", "*a", "{", "}", "<<: *a", "!!int ", "!!binary ", "!!set ", "!!omap ", "=",
     "!!timestamp ", "!!bool ", "!!float ", "!!null ", "!!merge ", "!!value ", "!!str ", "- ", "? ", ": ", "x", "1:30",
     "0x", "0b_", "2015-99-99", ".inf", "\n", "\n  ", "!<x>", "%YAML 1.1\n---\n", "...\n"]
)  # fmt: skip
characters = st.text(alphabet="ab:0.1-_ \n\t[]{}&*!|>'\"#%@`,?<=é\x00\ud800")
files = (
    st.binary(max_size=60)
    | characters.map(lambda text: text.encode("utf-8", "surrogatepass"))
    | st.lists(fragments, max_size=12).map(lambda parts: "".join(parts).encode())
    | likely_documents().map(lambda document: yaml.safe_dump(document).encode())
)


@given(files)
def test_any_file(content: bytes) -> None:
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).write_bytes(content)
        check(file.name, {})
