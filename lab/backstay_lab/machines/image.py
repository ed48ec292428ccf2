"""The nodes' root file system: a Debian suite with the cluster stack, built once per suite and package list.

Packages come from wherever this host's own apt gets them, through the same proxy. BACKSTAY_MIRROR names another
archive; BACKSTAY_CACHE another place to keep the images.
"""

import fcntl
import hashlib
import os
import shutil

from backstay.host import command
from backstay.ocf.errors import AgentError, CommandFailed, WrongParameter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

BUILD_TIMEOUT = 1800.0  # seconds; about 60 with a near mirror
_BUILDS = 3  # attempts: an archive that is updated meanwhile has not the package any more that its index named before

CLUSTER = ["pacemaker", "pacemaker-cli-utils", "corosync", "crmsh", "pcs", "resource-agents", "libxml2-utils"]
SERVICES = ["haproxy", "keepalived", "rabbitmq-server"]
LIBRARIES = ["pymysql", "pika", "lxml", "psutil", "click", "rich", "cryptography"]
NETWORK = ["iproute2", "nftables", "iputils-arping", "iputils-ping", "socat"]
TOOLS = ["procps", "strace", "less", "libfaketime", "tini"]
COMMON = [*CLUSTER, *SERVICES, "python3", *(f"python3-{name}" for name in LIBRARIES), *NETWORK, *TOOLS]
MARIADB = ["mariadb-server", "mariadb-client", "mariadb-backup"]
# What boots an instance in OpenStack (systems/nova): the services, and what serves their APIs.
OPENSTACK = ["keystone", "placement-common", "glance-common", "nova-common", "python3-openstackclient"]
OPENSTACK += ["memcached", "uwsgi-core", "uwsgi-plugin-python3"]
# A machine that boots by itself and is provisioned over ssh (box.py), with what vagrant/provision.sh would install.
MACHINE = ["systemd-sysv", "dbus", "openssh-server", "sudo", "rsync", "make", "procps", "iproute2"]
MACHINE += ["pacemaker", "pacemaker-cli-utils", "corosync", "crmsh", "resource-agents", "python3"]
MACHINE += ["python3-pymysql", "python3-lxml", "python3-psutil", "python3-click", "python3-rich"]
SUITES = {
    "bookworm": [*COMMON, *MARIADB],
    "trixie": [*COMMON, *MARIADB],
    "sid": [*COMMON, "mysql-server", "mysql-client"],
}
# Name -> packages; the name up to the first dash is the suite.
# bullseye is for single agents alone: HAProxy 2.2, MariaDB 10.5 and Python 3.9, the oldest that work.
RECIPES = {**SUITES, "bullseye": [*COMMON, *MARIADB], "bookworm-machine": [*MACHINE, *MARIADB]}
RECIPES["bookworm-nova"] = [*COMMON, *MARIADB, *OPENSTACK]
_CLOSED = {"bullseye"}  # suites whose updates may have left the archive, while their indices are still there

# Directories that the packages leave to systemd-tmpfiles or to a first start. Nothing is ever started by the
# packages: a node's init starts the cluster, and the cluster the services.
PREPARE = """
cd "$1"
mkdir -p var/lib/corosync var/log/corosync var/log/cluster var/log/pacemaker var/log/crmsh var/lib/mysql-files
chown --reference=var/lib/mysql var/lib/mysql-files && chmod 750 var/lib/mysql-files
printf '#!/bin/sh\\nexit 101\\n' > usr/sbin/policy-rc.d && chmod 755 usr/sbin/policy-rc.d
rm -rf var/cache/apt/*.bin var/lib/apt/lists/* etc/corosync/corosync.conf
"""
UNREAD = ["/usr/share/man/*", "/usr/share/locale/*"]  # 200 MB that no node reads


def cache_directory() -> str:
    """Where images live: BACKSTAY_CACHE, or `.cache` of the checkout, or /var/cache/backstay when installed."""
    configured = os.environ.get("BACKSTAY_CACHE")
    if configured:
        return os.path.abspath(configured)
    checkout = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
    if os.path.exists(os.path.join(checkout, "pyproject.toml")):
        return os.path.join(checkout, ".cache")
    return "/var/cache/backstay"


def ensure(name: str, say: "Callable[[str], None]") -> str:
    """The path of the root file system of RECIPES[name], built now if it is not there.

    Two callers never build at once: the second waits for the first. `say` gets a line before a long wait. Raises
    WrongParameter for an unknown name, CommandFailed with mmdebstrap's last line when the build fails.
    """
    if name not in RECIPES:
        raise WrongParameter(f"no recipe for the image {name}; there are {', '.join(SUITES)}")
    recipe = "\n".join([name, *sorted(RECIPES[name]), PREPARE, *UNREAD])
    images = os.path.join(cache_directory(), "images")
    path = os.path.join(images, f"{name}-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}")
    if os.path.isdir(path):
        return path
    if not command.available("mmdebstrap"):
        raise AgentError("mmdebstrap, which builds the nodes' image, is not installed here: apt-get install mmdebstrap")
    os.makedirs(images, exist_ok=True)
    with open(f"{path}.lock", "w", encoding="utf-8") as lock:
        say(f"waiting for the image {name} (built once, takes a minute or two)")
        fcntl.flock(lock, fcntl.LOCK_EX)  # its holder is bounded by BUILD_TIMEOUT, and the kernel drops a dead one's
        for attempt in range(1, _BUILDS + 1):
            if os.path.isdir(path):
                break
            try:
                _build(name, path)
            except CommandFailed as failed:
                if attempt == _BUILDS:
                    raise
                say(f"{failed}: trying again")
    return path


def _build(name: str, path: str) -> None:
    """Raises CommandFailed with what apt complained of."""
    suite = name.partition("-")[0]
    partial = f"{path}.partial"
    shutil.rmtree(partial, ignore_errors=True)  # what an interrupted build left; mmdebstrap checks that it is empty
    # The build lives in namespaces of its own and dies with its caller, so an interrupted one leaves no mount and no
    # process, only the partial directory that the next one removes.
    confined = ["setpriv", "--pdeathsig", "KILL", "unshare"]
    confined += ["--mount", "--pid", "--mount-proc", "--fork", "--kill-child"]
    options = [
        "--mode=root",
        "--variant=minbase",
        "--format=directory",
    ]  # not --quiet, which hides what apt complains of
    options += [f"--include={','.join(RECIPES[name])}"]
    options += [f"--aptopt={option}" for option in ['APT::Install-Recommends "false"', *_apt_options()]]
    options += [f"--dpkgopt=path-exclude={pattern}" for pattern in UNREAD]
    options += [f"--customize-hook={PREPARE.strip()}"]
    try:
        command.run([*confined, "mmdebstrap", *options, suite, partial, *_sources(suite)], timeout=BUILD_TIMEOUT)
    except CommandFailed as failed:
        why = complaint(failed.output) or str(failed)
        raise CommandFailed(f"could not build the image {name}: {why}", failed.status, failed.output) from failed
    os.rename(partial, path)


def complaint(output: str) -> str:
    """The line of a failed build that tells why, "" for none: what apt or dpkg said, before mmdebstrap's own that it failed."""
    lines = [line.strip() for line in output.splitlines()]
    said = [line for line in lines if line.startswith(("E:", "Err:", "dpkg: error"))]
    own = ("E: setup failed", "E: mmdebstrap failed", "E: run_")
    return next((line for line in said if not line.startswith(own)), said[0] if said else "")


def _apt_options() -> "list[str]":
    """This host's own settings for reaching its archive: proxies, certificates, dated indices."""
    wanted = ("proxy", "cainfo", "check-valid-until", "verify-peer")
    dump = command.run(["apt-config", "dump", "--no-empty", "Acquire"], timeout=30).out
    settings = [line.rstrip(";") for line in dump.splitlines()]
    return [
        'Acquire::Retries "3"',
        *(line for line in settings if any(word in line.split('"')[0].lower() for word in wanted)),
    ]


def _sources(suite: str) -> "list[str]":
    """Lines of sources.list for the suite; empty leaves it to mmdebstrap's own default."""
    listing = ["apt-get", "indextargets", "--format", "$(LABEL)|$(REPO_URI)", "Created-By: Packages", "Origin: Debian"]
    origins = dict(line.split("|", 1) for line in command.run(listing, timeout=30).out.splitlines())
    archive = os.environ.get("BACKSTAY_MIRROR") or origins.get("Debian")
    if archive is None:
        return []
    lines = [f"deb {archive} {suite} main"]
    if suite != "sid" and suite not in _CLOSED and "Debian-Security" in origins:
        lines += [f"deb {archive} {suite}-updates main", f"deb {origins['Debian-Security']} {suite}-security main"]
    return lines
