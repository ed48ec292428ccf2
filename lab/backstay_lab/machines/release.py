"""The agents and the library that each node runs: a copy of its own, so that nodes can be upgraded one by one.

    code/, earlier/        agents/, lib/backstay/, crm-templates/, bin/, as in a checkout, compiled for the image
    code/lab/              the lab's own programs on nodes, with the library that they need, of whatever version a node's is
    nodes/NAME/code/       the same, but lib/ is a PLACE of backstay.admin.install: an upgrade here is an admin's

Copies are links to the same files where the file system has such: nothing ever writes into one.
"""

import os
import shutil

import backstay
from backstay.admin import install, shipped
from backstay.host import command
from backstay.ocf.errors import AgentError
from backstay_lab.machines.layout import CLIENT, LabError, Layout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

PARTS = ("agents", "crm-templates", "bin")
_IGNORED = shutil.ignore_patterns("__pycache__")
_GIT = 60.0  # seconds
_AGENTS_LIBRARY = "/usr/lib/ocf/lib"
_LAB_LIBRARY = "/usr/lib/backstay-lab"


def spread(layout: Layout, root: str, names: "list[str]", revision: str) -> None:
    """The lab's own copy, of what runs here, since edits during a run must not reach a running lab; and each node's, of
    `revision` where there is one. The client has the lab's own. root: the image. Raises LabError."""
    own = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
    library = os.path.dirname(os.path.realpath(backstay.__file__))
    _copy(library, shipped.files, layout.path("code"))
    shutil.copytree(own, layout.path("code", "lab", os.path.basename(own)), ignore=_IGNORED)
    _compile(layout.path("code", "lib"), _AGENTS_LIBRARY, root)
    compiled = layout.path("code", "lib", "backstay")
    shutil.copytree(compiled, layout.path("code", "lab", "backstay"), copy_function=link)
    _compile(layout.path("code", "lab"), _LAB_LIBRARY, root)  # what is left
    os.makedirs(layout.path("code", "packages"))  # filled when something needs them: packages.py
    if revision:
        fetched = layout.path("fetched")
        fetch(revision, fetched)
        _copy(os.path.join(fetched, "lib", "backstay"), lambda part: _files(fetched, part), layout.path("earlier"))
        _compile(layout.path("earlier", "lib"), _AGENTS_LIBRARY, root)
        shutil.rmtree(fetched)
    for name in names:
        put(layout, name, layout.path("earlier" if revision and name != CLIENT else "code"))


def put(layout: Layout, node: str, source: str) -> None:
    """Install what `source`, one of the lab's copies, holds in the node's, which may run."""
    own = layout.node(node, "code")
    library = os.path.join(source, "lib", "backstay")

    def agents() -> None:
        for part in PARTS:
            mode = 0o644 if part == "crm-templates" else 0o755
            install.replace_files(os.path.join(source, part), os.path.join(own, part), mode)

    # Agents know their own library and the one before: they are there first, and on the way back they stay until the end.
    first = os.path.isdir(os.path.join(library, "services"))
    if first:
        agents()
    install.install(library, os.path.join(own, "lib"), link)
    if not first:
        agents()


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


def _copy(library: str, files: "Callable[[str], list[str]]", target: str) -> None:
    """As in a checkout. files: the paths of a part's, a PART -> paths."""
    shutil.copytree(library, os.path.join(target, "lib", "backstay"), ignore=_IGNORED)
    for part in PARTS:
        os.makedirs(os.path.join(target, part))
        for path in files(part):
            shutil.copy2(path, os.path.join(target, part))


def _files(checkout: str, part: str) -> "list[str]":
    place = os.path.join(checkout, part)
    return [os.path.join(place, name) for name in sorted(os.listdir(place))]


def _compile(directory: str, shown: str, root: str) -> None:
    """By the image's own Python. Nodes see the directory read-only: without that every agent would compile the library at
    every start. shown: where a node has it."""
    compile_it = 'mount --bind "$1" "$2/mnt" && exec chroot "$2" python3 -m compileall -q -d "$3" /mnt'
    command.run(["unshare", "--mount", "sh", "-c", compile_it, "sh", directory, root, shown], timeout=60)


def link(source: str, target: str) -> None:
    """A copy that costs no room where both are on one file system."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
