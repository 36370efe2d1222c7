"""Which manifests of a repository something leads to: a tag, an index, an artifact that refers to one of them."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from registry_wsgi.descriptor import Digest
    from registry_wsgi.storage.marking import Marks


def used_revisions(marks: Marks, before: float, kept: Collection[Digest] = ()) -> set[Digest]:
    """Return the manifests that are tagged, `kept` or not linked before `before`, and those that they lead to.

    One leads to whatever it mentions, such as the members of an index, and to its referrers: signatures and the like
    stay as long as what they are about.
    """
    canonical = marks.canonical()
    referrers: dict[Digest, list[Digest]] = defaultdict(list)
    for digest, revision in marks.revisions.items():
        if revision.subject is not None:
            referrers[canonical.get(revision.subject, revision.subject)].append(digest)
    recent = (digest for digest, revision in marks.revisions.items() if revision.modified >= before)
    used: set[Digest] = set()
    ahead = [*marks.tagged, *kept, *recent]
    while ahead:
        digest = ahead.pop()
        digest = canonical.get(digest, digest)
        if digest in marks.revisions and digest not in used:
            used.add(digest)
            ahead += [*marks.revisions[digest].mentions, *referrers[digest]]
    return used
