"""The agents and the library that each node runs: a copy of its own, so that nodes can be upgraded one by one.

    code/, earlier/        agents/, lib/backstay/, crm-templates/, bin/, as in a checkout, compiled for the image
    nodes/NAME/code/       the same, but lib/ is a PLACE of backstay.installation: an upgrade here is an admin's

Copies are links to the same files where the file system has such: nothing ever writes into one.
"""

import os
import shutil

from backstay import command, installation
from backstay.errors import AgentError
from backstay.lab.layout import CLIENT, LabError, Layout

PARTS = ("agents", "crm-templates", "bin")
_IGNORED = shutil.ignore_patterns("__pycache__")
_GIT = 60.0  # seconds


def spread(layout: Layout, root: str, names: "list[str]", revision: str) -> None:
    """The lab's own copy, of what runs here, since edits during a run must not reach a running lab; and each node's, of
    `revision` where there is one. The client has the lab's own. root: the image. Raises LabError."""
    library = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
    _copy(os.path.dirname(os.path.dirname(library)), library, layout.path("code"), root)
    os.makedirs(layout.path("code", "packages"))  # filled when something needs them: packages.py
    if revision:
        fetched = layout.path("fetched")
        fetch(revision, fetched)
        _copy(fetched, os.path.join(fetched, "lib", "backstay"), layout.path("earlier"), root)
        shutil.rmtree(fetched)
    for name in names:
        put(layout, name, layout.path("earlier" if revision and name != CLIENT else "code"))


def put(layout: Layout, node: str, source: str) -> None:
    """Install what `source`, one of the lab's copies, holds in the node's, which may run."""
    own = layout.node(node, "code")
    installation.install(os.path.join(source, "lib", "backstay"), os.path.join(own, "lib"), link)
    for part in PARTS:
        mode = 0o644 if part == "crm-templates" else 0o755
        installation.replace_files(os.path.join(source, part), os.path.join(own, part), mode)


def fetch(revision: str, directory: str) -> None:
    """What this checkout's history has of a revision. Raises LabError where there is no such history."""
    import tarfile

    checkout = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
    os.makedirs(directory)
    archive = os.path.join(directory, "archive.tar")
    git = ["git", "-C", checkout]
    try:
        command.run([*git, "cat-file", "-e", f"{revision}^{{commit}}"], _GIT)
        command.run([*git, "archive", f"--output={archive}", revision, "lib", *PARTS], _GIT)
    except AgentError as failed:
        raise LabError(f"{checkout} has no history with the revision {revision}: {failed}") from None
    with tarfile.open(archive) as found:
        found.extractall(directory)  # noqa: S202  git made it, of this checkout
    os.unlink(archive)


def _copy(checkout: str, library: str, target: str, root: str) -> None:
    shutil.copytree(library, os.path.join(target, "lib", "backstay"), ignore=_IGNORED)
    for part in PARTS:
        if os.path.isdir(os.path.join(checkout, part)):
            shutil.copytree(os.path.join(checkout, part), os.path.join(target, part), ignore=_IGNORED)
        else:
            os.makedirs(os.path.join(target, part))  # installed, not a checkout
    # The nodes see it read-only, so it is compiled beforehand, by the image's own Python: without that every agent
    # would compile the library at every start.
    compile_it = 'mount --bind "$1" "$2/mnt" && exec chroot "$2" python3 -m compileall -q -d /usr/lib/ocf/lib /mnt'
    argv = ["unshare", "--mount", "sh", "-c", compile_it, "sh", os.path.join(target, "lib"), root]
    command.run(argv, timeout=60)


def link(source: str, target: str) -> None:
    """A copy that costs no room where both are on one file system."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
