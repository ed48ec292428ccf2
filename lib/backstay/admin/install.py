"""Replaces the library atomically while agents run. `make install` does it on a node, the lab for its own nodes.

    LIB/backstay              link: what agents are started with
    LIB/backstay.d/current    link to one of
    LIB/backstay.d/NUMBER/    each one installation's, whole; never changed once it is current

One rename makes the new library current. An agent looks once, as it starts, where `backstay` leads, and stays there. So no
action and no watcher ever has modules of two versions, and none finds a file half written. The installation before is kept,
for those that still run from it; the next monitor of each resource starts its watcher anew (watch/client.py). Decision 32.

    python3 -m backstay.admin.install OCF             agents and library, in this order, of what this file belongs to
    python3 -m backstay.admin.install --library OCF   the library alone: a Debian package has put the agents there
    python3 -m backstay.admin.install --remove OCF    both away. OCF: /usr/lib/ocf, LIB is OCF/lib
"""

import os
import shutil
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

NAME = "backstay"
PLACE = f"{NAME}.d"
AGENTS = "resource.d/backstay"
_CURRENT = "current"
_UNLINKED = "unlinked"
_COMPILED, _SHARE = "__pycache__", "share"  # share: what a wheel has beside the modules, shipped.py
_RUNS, _READ = 0o755, 0o644
_SHOWN = "/usr/lib/ocf/lib"  # in tracebacks


def install(library: str, place: str, copy: "Callable[[str, str], object]" = shutil.copy2) -> str:
    """Make a copy of `library` current in `place`, a PLACE; the directory of this installation. What `library` holds is copied
    as it is, compiled or not. copy: source, target. Raises OSError; then the one before stays current."""
    numbers = sorted(int(name) for name in os.listdir(place) if name.isdigit()) if os.path.isdir(place) else []
    own = os.path.join(place, str(numbers[-1] + 1 if numbers else 1))
    shutil.copytree(library, os.path.join(own, NAME), copy_function=copy)
    before = _target(place)
    _link(os.path.basename(own), os.path.join(place, _CURRENT))
    for number in numbers:
        if str(number) != before:  # whoever runs from there is older than an installation
            shutil.rmtree(os.path.join(place, str(number)))
    return own


def install_on_node(library: str, lib: str) -> None:
    """As an admin's `make install` does: only sources, for all to read, compiled there; agents find it from then on.
    lib: the directory LIB. Raises OSError."""
    import compileall
    import tempfile

    place, link = os.path.join(lib, PLACE), os.path.join(lib, NAME)
    os.makedirs(place, exist_ok=True)
    shutil.rmtree(os.path.join(place, _UNLINKED), ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=place) as scratch:
        made = os.path.join(scratch, NAME)
        shutil.copytree(library, made, ignore=shutil.ignore_patterns(_COMPILED, _SHARE))
        compileall.compile_dir(made, quiet=1, stripdir=scratch, prependdir=_SHOWN)
        for directory, _, names in os.walk(made):
            os.chmod(directory, _RUNS)
            for name in names:
                os.chmod(os.path.join(directory, name), _READ)
        install(made, place)
    if not os.path.islink(link):
        if os.path.isdir(link):  # of before this scheme: an action that is under way may load modules of the new one
            os.rename(link, os.path.join(place, _UNLINKED))
        _link(os.path.join(PLACE, _CURRENT, NAME), link)


def replace_files(source: str, target: str, mode: int = _RUNS) -> None:
    """Each file of the directory `source` in `target`, as a whole. Raises OSError."""
    os.makedirs(target, exist_ok=True)
    for name in sorted(os.listdir(source)):
        if os.path.isfile(os.path.join(source, name)):
            fresh = os.path.join(target, f".{name}.new")
            shutil.copyfile(os.path.join(source, name), fresh)
            os.chmod(fresh, mode)
            os.replace(fresh, os.path.join(target, name))


def remove_from_node(ocf: str) -> None:
    """What an installation has put there: the agents first, since one without its library fails. Raises OSError."""
    shutil.rmtree(os.path.join(ocf, AGENTS), ignore_errors=True)
    for name in (NAME, f"{NAME}.new"):
        path = os.path.join(ocf, "lib", name)
        if os.path.islink(path):
            os.unlink(path)
    for name in (NAME, PLACE):
        shutil.rmtree(os.path.join(ocf, "lib", name), ignore_errors=True)


def _target(place: str) -> str:
    try:
        return os.readlink(os.path.join(place, _CURRENT))
    except OSError:
        return ""


def _link(target: str, path: str) -> None:
    """Make the link, or have an existing one lead elsewhere, at once."""
    fresh = f"{path}.new"
    if os.path.lexists(fresh):
        os.unlink(fresh)  # of an installation that was cut short
    os.symlink(target, fresh)
    os.replace(fresh, path)


def _main(*arguments: str) -> None:
    """As above, in this module's docstring."""
    *option, ocf = arguments
    os.umask(0o022)  # crmsh and pcs read meta-data as nobody
    if option == ["--remove"]:
        remove_from_node(ocf)
        return
    if not option:
        from backstay.admin import shipped

        replace_files(shipped.directory("agents"), os.path.join(ocf, AGENTS))
    install_on_node(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), os.path.join(ocf, "lib"))


if __name__ == "__main__":
    _main(*sys.argv[1:])
