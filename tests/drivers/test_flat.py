"""Pages of names out of keys in their own order, as drivers over stores without directories make them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from registry_wsgi.drivers import flat

NAMES = st.sets(st.text("a-._0Z", min_size=1, max_size=4), max_size=20)


def listed(files, directories, after, limit):
    """Return a page as a driver makes it, out of the keys that a store lists up to the page's last one."""
    keys = sorted([*files, *(f"{name}/" for name in directories)])
    page = [key for key in keys if key > flat.key_after(after)]
    names, last = set(), ""
    for last in page:
        names |= {name for name in (last.rstrip("/"),) if name > after}
        if len(names) >= limit:
            break
    names.update(flat.hidden_by(last, after, directories.__contains__))
    return sorted(names)[:limit]


@given(NAMES, NAMES, st.text("a-._0Z/~ ", max_size=4), st.integers(1, 5))
def test_a_page_has_the_first_names_in_the_order_of_names(files, directories, after, limit):
    wanted = sorted(name for name in files | directories if name > after)[:limit]
    assert listed(files, directories, after, limit) == wanted


def test_a_directory_is_found_behind_the_keys_that_hide_it():
    assert list(flat.hidden_by("a-b.c/link", "", {"a", "a-b"}.__contains__)) == ["a", "a-b"]
    assert list(flat.hidden_by("a-b.c", "a", {"a", "a-b"}.__contains__)) == ["a-b"]


def test_what_no_store_orders_alike_is_left_out_of_a_key():
    assert [flat.key_after(after) for after in ("v1", "v1/2", "é", "a b", "")] == ["v1", "v1", "", "a", ""]
