"""Garbage collection in a container."""

from __future__ import annotations

from registry_wsgi_objectstore.stores import azure

from tests.garbage.over import check_collection_over


def test_what_nobody_uses_is_deleted_from_a_container(section):
    check_collection_over(azure(**section))
