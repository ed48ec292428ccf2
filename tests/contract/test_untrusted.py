"""Root in the directories of a service's account: what lies in wait there is never followed, changed or waited for.

Which names an agent touches there is not written down here: strace tells, of an instance's whole life.
"""

from __future__ import annotations

import os
import re
import socket
import stat
from pathlib import Path
from types import SimpleNamespace

import acting
import haproxy_box
import mysql_box
import pytest
import rabbitmq_box
from acting import Chamber

from backstay.host import untrusted
from backstay.services.mysql.state import read_mark, write_mark

# -- the functions -----------------------------------------------------------------------------------------------------

ACCOUNT = SimpleNamespace(pw_name="games", pw_uid=5, pw_gid=60)


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """A directory of the account's in one of root's, and a victim of root's beside it."""
    directory = tmp_path / "theirs"
    directory.mkdir()
    os.chown(directory, ACCOUNT.pw_uid, ACCOUNT.pw_gid)
    (tmp_path / "victim").write_text("[ERROR] root's")
    (tmp_path / "victim").chmod(0o600)
    (tmp_path / "place").mkdir(mode=0o700)
    (tmp_path / "place/kept").write_text("[ERROR] root's")
    return directory


def untouched(root: Path) -> bool:
    files = [(path, path.stat()) for path in (root / "victim", root / "place/kept")]
    place = (root / "place").stat()
    return (
        all(path.read_text() == "[ERROR] root's" and found.st_uid == 0 for path, found in files)
        and files[0][1].st_mode & 0o7777 == 0o600
        and (place.st_uid, place.st_mode & 0o7777) == (0, 0o700)
        and os.listdir(root / "place") == ["kept"]
    )


CHANGES = {
    "replace": lambda path: untrusted.replace(path, "new", ACCOUNT, 0o640),
    "give": lambda path: untrusted.give(path, ACCOUNT, 0o600),
    "shorten": lambda path: os.ftruncate(untrusted.descriptor(path, os.O_RDWR), 0),
    "remove": untrusted.remove,
    "make_directory": lambda path: untrusted.make_directory(path, ACCOUNT, 0o755),
    "set_directory": lambda path: untrusted.set_directory(path, ACCOUNT, 0o755),
    "new_directory": lambda path: untrusted.new_directory(path, 0o755),
    "move": lambda path: untrusted.move(path, f"{path}.moved"),
    "clear": untrusted.clear,
    "remove_directory": untrusted.remove_directory,
    "read": untrusted.read,
    "name_again": lambda path: untrusted.name_again(path, "another"),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("below", ["", "/name", "/kept"])
@pytest.mark.parametrize("victim", ["victim", "place"])
@pytest.mark.parametrize("whose", [0, ACCOUNT.pw_uid])
def test_a_link_in_their_directory_is_not_followed(
    theirs: Path, change: str, below: str, victim: str, whose: int
) -> None:
    """Whoever made it: the account may have moved one of root's there."""
    link = theirs / "link"
    link.symlink_to(theirs.parent / victim)
    os.chown(link, whose, 0, follow_symlinks=False)
    try:
        assert CHANGES[change](f"{link}{below}") is None
    except OSError as error:
        assert error.strerror
    assert untouched(theirs.parent)


@pytest.mark.parametrize("change", CHANGES)
def test_a_second_name_of_anothers_file_is_not_changed(theirs: Path, change: str) -> None:
    os.link(theirs.parent / "victim", theirs / "name")
    try:
        CHANGES[change](str(theirs / "name"))
    except OSError as error:
        assert error.strerror
    assert untouched(theirs.parent)


def test_a_second_name_of_their_own_file_is_theirs_to_have(theirs: Path) -> None:
    own = theirs / "own"
    own.write_text("long")
    os.chown(own, ACCOUNT.pw_uid, ACCOUNT.pw_gid)
    os.link(own, theirs / "backup")
    os.ftruncate(untrusted.descriptor(str(own), os.O_RDWR), 0)
    assert own.read_text() == ""


def test_a_file_of_theirs_gets_another_name_once(theirs: Path) -> None:
    own = theirs / "own"
    own.touch()
    os.chown(own, ACCOUNT.pw_uid, ACCOUNT.pw_gid)
    untrusted.name_again(str(own), "kept")
    untrusted.name_again(str(own), "kept")
    assert os.path.samefile(own, theirs / "kept")


def test_what_is_no_file_is_neither_waited_for_nor_opened(theirs: Path) -> None:
    os.mkfifo(theirs / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(theirs / "socket"))
        for name in ("pipe", "socket"):
            with pytest.raises(OSError, match="it is no file"):
                untrusted.read(str(theirs / name))
        untrusted.remove(str(theirs / "pipe"), socket=True)
        untrusted.remove(str(theirs / "socket"), socket=True)
    assert os.listdir(theirs) == ["pipe"]
    with open(theirs / "pipe", opener=untrusted.waiting_for_nobody, encoding="ascii") as pipe:
        assert pipe.read() == ""


def test_roots_own_links_lead_where_root_wants(theirs: Path) -> None:
    """As where a data directory is on another disk."""
    (theirs.parent / "link").symlink_to("theirs")
    path = str(theirs.parent / "link" / "file")
    untrusted.replace(path, "text", ACCOUNT, 0o640)  # type: ignore[arg-type]
    assert untrusted.text(path) == "text" and untrusted.size(path) == 4 and untrusted.there(path)
    found = (theirs / "file").stat()
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (5, 60, 0o640)
    untrusted.replace(path, "", None, 0o600)
    assert (theirs / "file").stat().st_uid == 5
    os.chown(theirs.parent / "link", 5, 60, follow_symlinks=False)
    with pytest.raises(OSError, match="not root's own"):
        untrusted.text(path)


def test_a_directory_of_roots_that_they_could_have_put_there_is_given_to_them_only_empty(theirs: Path) -> None:
    for root in (theirs, theirs.parent):
        for name, content in (("empty", []), ("full", ["file"])):
            (root / name).mkdir()
            for each in content:
                (root / name / each).touch()
    for given in (theirs / "empty", theirs.parent / "empty", theirs.parent / "full", theirs / "new"):
        untrusted.make_directory(str(given), ACCOUNT, 0o755)  # type: ignore[arg-type]
        assert given.stat().st_uid == 5
    with pytest.raises(OSError, match="not empty"):
        untrusted.make_directory(str(theirs / "full"), ACCOUNT, 0o755)  # type: ignore[arg-type]
    assert (theirs / "full").stat().st_uid == 0
    assert not untrusted.guarded(str(theirs / "full")) and untrusted.guarded(str(theirs))


def test_the_mark_of_an_epoch_is_theirs(theirs: Path) -> None:
    (theirs / "backstay-epoch").symlink_to(theirs.parent / "victim")
    assert read_mark(str(theirs)) == 0
    write_mark(str(theirs), 7)
    assert read_mark(str(theirs)) == 7 and (theirs / "backstay-epoch").stat().st_uid == 5
    assert untouched(theirs.parent)


def test_their_rights_are_no_more_than_theirs_and_end(tmp_path: Path) -> None:
    (tmp_path / "private").write_text("root's")
    (tmp_path / "private").chmod(0o640)
    with untrusted.rights_of(ACCOUNT), pytest.raises(PermissionError):  # type: ignore[arg-type]
        os.close(os.open(tmp_path / "private", os.O_RDONLY))
    assert (tmp_path / "private").read_text() == "root's" and os.geteuid() == os.getegid() == 0


# -- the agents --------------------------------------------------------------------------------------------------------

# Of each agent: the beginning of a script, what belongs to its account, and one life.
LIVES = {
    "mysql": (
        mysql_box.PREPARE + "export OCF_RESKEY_rebuild=auto\n",
        ["/var/lib/mysql", "/run/mysqld", "/var/lib/mysql.rebuild"],
        "start promote monitor demote stop start validate-all stop restore start stop",
    ),
    "rabbitmq": (
        rabbitmq_box.PREPARE + "export OCF_RESKEY_cookie=secret\nmkdir -p /etc/rabbitmq/conf.d\n",
        ["/var/lib/rabbitmq", "/var/log/rabbitmq", "/etc/rabbitmq"],
        "start promote monitor demote stop start validate-all stop",
    ),
    "haproxy": (haproxy_box.PREPARE, ["/var/lib/haproxy", "/run/haproxy"], "start promote monitor demote stop"),
}
# restore: what the account had after the first stop; of MySQL with a copy that is to take the place of the data.
STEPS = r"""
export OCF_CHECK_LEVEL=10
keep() (mkdir -p /tmp/kept; cd /; for place in THEIRS; do [ ! -d $place ] || cp -a --parents .$place /tmp/kept; done)
restore() {
    rm -rf THEIRS /var/lib/mysql.errant-*; cp -a /tmp/kept/. /
    R=/var/lib/mysql.rebuild
    [ ! -d /var/lib/mysql/mysql ] || { mkdir $R; cp -a /var/lib/mysql $R/data
        echo "$(stat -c %d:%i /var/lib/mysql) of nothing" > $R/complete; chown mysql $R $R/complete; }
}
recurring() {
    export OCF_RESKEY_CRM_meta_interval=0
    [ $1 != monitor ] || OCF_RESKEY_CRM_meta_interval=5000
}
"""
TRACED = r"""
for action in LIFE; do
    [ $action != restore ] || { keep; restore; continue; }
    recurring $action
    strace -f -b execve -y -qq -e signal=none -e trace=%file,setresuid,setuid -s 256 -o /tmp/trace.one $A $action \
        > /tmp/said 2>&1 || case $action in st*|promote|demote) echo "FAILED $action: $(cat /tmp/said)" ;; esac
    cat /tmp/trace.one >> /tmp/trace
done
cat /tmp/trace
"""
# Neither open nor change what a name leads to.
LOOKING = {
    "stat",
    "lstat",
    "newfstatat",
    "statx",
    "access",
    "faccessat",
    "faccessat2",
    "readlink",
    "readlinkat",
    "statfs",
}
CALL = re.compile(r"^(\d+) +(\w+)\((.*)")
NAMED = re.compile(r'(?:(AT_FDCWD|\d+)<([^>]*)>, )?"([^"]*)"')


def touched(trace: str, theirs: list[str]) -> tuple[set[str], list[str]]:
    """Names below their directories that root used, and calls that trust one of them."""
    names: set[str] = set()
    wrong: list[str] = []
    dropped: set[str] = set()
    for line in trace.splitlines():
        found = CALL.match(line)
        if not found:
            continue
        pid, call, arguments = found.groups()
        if call in ("setresuid", "setuid"):
            (dropped.discard if re.match(r"(-1, )?0\b", arguments) else dropped.add)(pid)
            continue
        if pid in dropped or call == "execve":
            continue
        for descriptor, directory, name in NAMED.findall(arguments)[
            : 1 if call in ("readlink", "readlinkat") else None
        ]:
            relative = descriptor not in ("", "AT_FDCWD") and not name.startswith("/")
            path = os.path.normpath(os.path.join(directory, name)) if relative else os.path.normpath(name)
            if not any(path.startswith(f"{owned}/") for owned in theirs):
                continue
            names.add(path)
            follows_none = "O_NOFOLLOW" in arguments or "O_EXCL" in arguments
            lists = "O_DIRECTORY" in arguments and "O_CREAT" not in arguments
            straight = relative or os.path.dirname(path) in theirs
            harmless = call in LOOKING or lists or (call == "openat" and follows_none and straight)
            harmless = harmless or (relative and call in ("unlinkat", "renameat", "renameat2", "mkdirat"))
            if not harmless:
                wrong.append(line)
    return {name for name in names if not re.search(r"\.[0-9a-f]{16}$", name)}, wrong


def script(agent: str, steps: str) -> str:
    prepare, theirs, life = LIVES[agent]
    return (prepare + STEPS + steps).replace("THEIRS", " ".join(theirs)).replace("LIFE", life)


@pytest.mark.parametrize("agent", LIVES)
def test_no_call_of_roots_trusts_a_name_of_the_accounts(chamber: Chamber, agent: str) -> None:
    result = acting.run(chamber, script(agent, TRACED), 300)
    names, wrong = touched(result.text, LIVES[agent][1])
    assert wrong == [] and "FAILED" not in result.text
    assert bool(names) == (agent != "haproxy")  # whose sockets and state are root's, in /run/backstay


# Each name in turn is a link, then a second name, of something of root's when each action begins.
PLANTED = r"""
echo "[ERROR] of-roots" > /victim; chmod 600 /victim; mkdir -m 700 /place; cp -p /victim /place/kept
look() { stat -c '%n %u %g %a %i %s' /victim /place /place/kept; md5sum /victim /place/kept; }
look > /tmp/before
plant() {
    target=/victim; [ ! -d /tmp/kept$1 ] || target=/place
    mkdir -p $(dirname $1) && rm -rf $1 && { [ $2 = link ] && ln -s $target $1 || ln /victim $1; }
}
for name in $(cat /work/names); do for kind in link second; do
    restore
    for action in start promote monitor demote stop; do
        plant $name $kind; recurring $action
        timeout 60 $A $action > /tmp/said 2>&1 || true
        ! grep of-roots /tmp/said || echo "TOLD $name $kind $action"
        look | cmp -s - /tmp/before || echo "CHANGED $name $kind $action"
    done
    rm -rf $name
    $A stop > /tmp/said 2>&1 || true
done; done
echo PLANTED $(wc -l < /work/names)
"""


@pytest.mark.slow
@pytest.mark.parametrize("agent", ["mysql", "rabbitmq"])
def test_what_the_account_plants_under_any_of_these_names_is_left_alone(
    chamber: Chamber, tmp_path: Path, agent: str
) -> None:
    traced = acting.run(chamber, script(agent, TRACED), 300)
    names = sorted(touched(traced.text, LIVES[agent][1])[0])
    (tmp_path / "names").write_text("\n".join(names) + "\n")
    first = "for action in start stop; do recurring $action; $A $action; done; keep\n"
    result = acting.run(chamber, script(agent, first + PLANTED), 1500)
    assert f"PLANTED {len(names)}" in result.text
    assert not re.search("^(TOLD|CHANGED).*", result.text, re.MULTILINE), result.text
