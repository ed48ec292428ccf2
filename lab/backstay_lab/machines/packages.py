"""Python packages for the lab's client that Debian does not have, or not as nova uses them: oslo.messaging and oslo.db.

This host's own pip fetches the exact versions of oslo.txt, for the image's Python, into the cache, once for each list and
Python. A lab shows them read-only to its nodes; none has a package of them on its path unless it asks for it.
"""

import fcntl
import hashlib
import os
import shutil
import sys

from backstay.host import command
from backstay.ocf.errors import AgentError, CommandFailed
from backstay_lab.machines.image import cache_directory
from backstay_lab.machines.layout import CLIENT
from backstay_lab.machines.release import link

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay_lab.machines.cluster import Lab

PLACE = "/usr/local/lib/backstay-packages"  # in the nodes; boot.sh binds it from the lab's code/packages
FETCH_TIMEOUT = 600.0  # seconds; about 20 with a near index
LIST = os.path.join(os.path.dirname(os.path.abspath(__file__)), "oslo.txt")


def provide(lab: "Lab") -> str:
    """Make the packages visible in the lab; the directory, as its nodes see it, for PYTHONPATH.

    Raises AgentError when they cannot be had.
    """
    shown = lab.layout.path("code", "packages")
    if not os.path.exists(os.path.join(shown, "oslo_messaging")):
        version = lab.run(CLIENT, ["python3", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]).out.strip()
        # Links where the cache is on the same disk: nothing is copied.
        shutil.copytree(ensure(version), shown, copy_function=link, dirs_exist_ok=True)
    return PLACE


def ensure(version: str, listed: str = LIST) -> str:
    """The directory with the packages of a list, for Python `version` ("3.11"), fetched now if it is not there."""
    with open(listed, encoding="utf-8") as source:
        wanted = source.read()
    key = hashlib.sha256(f"{version} compiled\n{wanted}".encode()).hexdigest()[:12]
    packages = os.path.join(cache_directory(), "packages")
    name = os.path.basename(listed).partition(".")[0]
    path = os.path.join(packages, f"{name}-python{version}-{key}")
    os.makedirs(packages, exist_ok=True)
    with open(f"{path}.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # its holder is bounded by FETCH_TIMEOUT
        if not os.path.isdir(path):
            _fetch(version, path, listed)
    return path


def _fetch(version: str, path: str, listed: str) -> None:
    partial = f"{path}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    # --no-deps: the list is complete, and what this host has installed is none of its business. Compiled, which only a Python of
    # the same version can, every program that loads them starts more than a second sooner.
    argv = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:"]
    argv += [] if version == ".".join(map(str, sys.version_info[:2])) else ["--no-compile"]
    argv += ["--python-version", version, "--implementation", "cp", "--target", partial, "--requirement", listed]
    try:
        command.run(argv, timeout=FETCH_TIMEOUT)
    except CommandFailed as failed:
        raise AgentError(f"could not fetch what {os.path.basename(listed)} lists: {failed}") from failed
    os.rename(partial, path)
