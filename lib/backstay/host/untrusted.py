"""Lets root work safely in directories that a service's account owns. That account may put there, at any moment and under
any name, a link to a file of root's, a second name of one, or a pipe that nobody ever writes to.

| what root does there                 | how it stays there                                                                |
|--------------------------------------|-----------------------------------------------------------------------------------|
| find the way                         | component by component, each relative to the one before (`_find`). A link is      |
|                                      | followed where root made it in a directory of root's, as admins do, nowhere else  |
| open                                 | regular files alone, so nothing hangs or has an effect by being opened            |
| write, shorten, change owner or mode | on the opened file, and where it is not the account's only if it has no other name |
| make                                 | under a name that nobody has, then renamed into its place                         |
| rename, remove                       | relative to the directory's descriptor; neither follows a link                    |

What such a file says is the account's word and no more. On the strength of it root changes only the account's own files.

All raise OSError, with a text that is fit for an admin.
"""

import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    import pwd

_TRUSTED = {0, os.geteuid()}
_LINKS = 40  # followed on one way, as in the kernel
_ELOOP, _EPERM = 40, 1
_LONGEST = 1 << 20  # bytes that are read of a file
_HERE = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


class _Way:
    """Where a path ends. directory: a descriptor of it. name: in it, of what may not be there; "." for the root directory.
    guarded: all on the way belongs to root, so nobody else can put something else there."""

    __slots__ = ("directory", "guarded", "name", "path")

    def __init__(self, path: str) -> None:
        self.path = path
        self.directory, self.name, self.guarded = _find(path)

    def __enter__(self) -> "_Way":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.directory)

    def status(self) -> os.stat_result:
        return os.stat(self.name, dir_fd=self.directory, follow_symlinks=False)

    def open(self, flags: int, kind: int = stat.S_IFREG, change: bool = False) -> int:
        """A file or directory that is there. First without any effect, then, if it is what is wanted, in earnest. change: it is
        to be written, or its owner or mode changed."""
        here = os.open(self.name, _HERE, dir_fd=self.directory)
        try:
            found = os.fstat(here)
            if stat.S_IFMT(found.st_mode) != kind:
                wanted = "directory" if kind == stat.S_IFDIR else "file"
                raise OSError(_ELOOP, f"it is no {wanted} but what its directory's account put there", self.path)
            others = found.st_nlink > 1 and found.st_uid != os.fstat(self.directory).st_uid
            if kind == stat.S_IFREG and change and others:
                raise OSError(_EPERM, "it has a second name (a hard link), so it may be another's file", self.path)
            return os.open(f"/proc/self/fd/{here}", flags | os.O_CLOEXEC)
        finally:
            os.close(here)


def _find(path: str) -> "tuple[int, str, bool]":
    if not path.startswith("/"):
        raise OSError(_EPERM, "it is no absolute path", path)
    names = [name for name in reversed(path.split("/")) if name not in ("", ".")] or ["."]
    guarded, links = True, 0
    at = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        while True:
            name = names.pop()
            holder = os.fstat(at)
            guarded = guarded and holder.st_uid in _TRUSTED and holder.st_mode & 0o1022 not in (0o2, 0o20, 0o22)
            try:
                found = os.stat(name, dir_fd=at, follow_symlinks=False)
            except FileNotFoundError:
                if names:
                    raise
                return at, name, guarded
            if stat.S_ISLNK(found.st_mode):
                links += 1
                if found.st_uid not in _TRUSTED or holder.st_uid not in _TRUSTED or links > _LINKS:
                    if not names:
                        return at, name, False  # the link itself: it can be removed or replaced, and not opened
                    raise OSError(_ELOOP, f"{name} on the way is a link that is not root's own", path)
                target = os.readlink(name, dir_fd=at)
                if target.startswith("/"):
                    at = _step(at, "/")
                names += [part for part in reversed(target.split("/")) if part not in ("", ".")] or ["."]
            elif names:
                at = _step(at, name)
            else:
                return at, name, guarded
    except BaseException:
        os.close(at)
        raise


def _step(at: int, name: str) -> int:
    below = os.open(name, _HERE | os.O_DIRECTORY, dir_fd=at)
    os.close(at)
    return below


# -- look --------------------------------------------------------------------------------------------------------------


def descriptor(path: str, flags: int = os.O_RDONLY) -> int:
    """An open regular file that is there."""
    with _Way(path) as way:
        return way.open(flags, change=flags & (os.O_WRONLY | os.O_RDWR) != 0)


def read(path: str, offset: int = 0) -> bytes:
    """A file's first mebibyte, from `offset` on."""
    source = descriptor(path)
    try:
        return os.pread(source, _LONGEST, offset)
    finally:
        os.close(source)


def text(path: str) -> str:
    return read(path).decode("utf-8", "replace")


def tail(path: str) -> str:
    """The end of a text that may be long."""
    return read(path, max(0, size(path) - 4096)).decode("utf-8", "replace")


def size(path: str) -> int:
    """Of a file, 0 when there is none."""
    try:
        with _Way(path) as way:
            found = way.status()
    except OSError:
        return 0
    return found.st_size if stat.S_ISREG(found.st_mode) else 0


def there(path: str) -> bool:
    """Whether there is anything, a link included."""
    try:
        with _Way(path) as way:
            way.status()
    except OSError:
        return False
    return True


def guarded(path: str) -> bool:
    """Whether root alone can put something else under this name. Where not, no program of root's may be told the name."""
    with _Way(path) as way:
        return way.guarded


class rights_of:  # noqa: N801  used as a function is
    """Look with the account's rights and no more, where links of the admin's have to be followed in its directories. For
    programs of one thread. (`contextlib` would load `collections`, on the path of each promotion.)"""

    def __init__(self, owner: "pwd.struct_passwd") -> None:
        self._owner = owner
        self._before = (os.getegid(), os.getgroups()) if os.geteuid() == 0 else None

    def __enter__(self) -> None:
        if self._before:
            os.setgroups([self._owner.pw_gid])
            os.setegid(self._owner.pw_gid)
            os.seteuid(self._owner.pw_uid)

    def __exit__(self, *_: object) -> None:
        if self._before:
            os.seteuid(0)
            os.setegid(self._before[0])
            os.setgroups(self._before[1])


def waiting_for_nobody(path: str, flags: int) -> int:
    """For open(): a pipe has no text, and nobody is waited for who might write one."""
    return os.open(path, flags | os.O_NONBLOCK)


# -- files -------------------------------------------------------------------------------------------------------------


def replace(
    path: str, content: "bytes | str", owner: "pwd.struct_passwd | None", mode: int, sync: bool = False
) -> None:
    """A file of this content, as a whole or not at all. owner: None for the account that owns the directory."""
    with _Way(path) as way:
        made = f".{way.name}.{os.urandom(8).hex()}"
        sink = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=way.directory)
        try:
            with open(sink, "wb") as file:
                file.write(content if isinstance(content, bytes) else content.encode())
                file.flush()
                holder = os.fstat(way.directory)
                user, group = (owner.pw_uid, owner.pw_gid) if owner else (holder.st_uid, holder.st_gid)
                os.fchown(sink, user, group)
                os.fchmod(sink, mode)
                if sync:
                    os.fsync(sink)
            os.rename(made, way.name, src_dir_fd=way.directory, dst_dir_fd=way.directory)
            if sync:
                _synchronise(way.directory)
        except BaseException:
            os.unlink(made, dir_fd=way.directory)
            raise


def give(path: str, owner: "pwd.struct_passwd", mode: int) -> None:
    """Have a file that is there belong to the account, and to nobody with other rights than the mode gives."""
    with _Way(path) as way:
        file = way.open(os.O_RDONLY, change=True)
    try:
        found = os.fstat(file)
        if found.st_uid != owner.pw_uid:
            os.fchown(file, owner.pw_uid, owner.pw_gid)
        if found.st_mode & 0o7777 & ~mode:
            os.fchmod(file, found.st_mode & mode)
    finally:
        os.close(file)


def name_again(path: str, name: str) -> None:
    """A second name, in the same directory, for a file that is not root's; if it has it already, well."""
    with _Way(path) as way:
        found = way.status()
        if not stat.S_ISREG(found.st_mode) or found.st_uid == 0:
            raise OSError(_EPERM, f"{path} is no file of the account's", path)
        try:  # noqa: SIM105  contextlib again
            os.link(way.name, name, src_dir_fd=way.directory, dst_dir_fd=way.directory, follow_symlinks=False)
        except FileExistsError:
            pass  # it has it


def remove(path: str, socket: bool = False, sync: bool = False) -> None:
    """A name, if it is there; socket: only that of one. sync: surely, whatever happens to the power."""
    try:
        with _Way(path) as way:
            if not socket or stat.S_ISSOCK(way.status().st_mode):
                os.unlink(way.name, dir_fd=way.directory)
            if sync:
                _synchronise(way.directory)
    except FileNotFoundError:
        return


def _synchronise(directory: int) -> None:
    opened = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=directory)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


# -- directories -------------------------------------------------------------------------------------------------------


def make_directory(path: str, owner: "pwd.struct_passwd", mode: int) -> None:
    """With those above it that are missing, which stay root's. One that root made is given to the account: that alone, not
    what is in it. Where the account could have put it there itself, only an empty one."""
    _make_above(path)
    with _Way(path) as way:
        try:  # noqa: SIM105
            os.mkdir(way.name, mode, dir_fd=way.directory)
        except FileExistsError:
            pass  # what it is shows now
        directory = way.open(os.O_RDONLY | os.O_DIRECTORY, stat.S_IFDIR)
        try:
            if os.fstat(directory).st_uid in _TRUSTED - {owner.pw_uid}:
                if not way.guarded and os.listdir(directory):
                    raise OSError(
                        _EPERM, f"root's, and not empty: see what it is, then chown {owner.pw_name} {path}", path
                    )
                os.fchown(directory, owner.pw_uid, owner.pw_gid)
        finally:
            os.close(directory)


def _make_above(path: str) -> None:
    above = os.path.dirname(path.rstrip("/"))
    if above.strip("/") and not there(above):
        _make_above(above)
        with _Way(above) as way:
            os.mkdir(way.name, 0o755, dir_fd=way.directory)


def new_directory(path: str, mode: int) -> None:
    """Of root's, that was not there."""
    with _Way(path) as way:
        os.mkdir(way.name, 0o700, dir_fd=way.directory)
    set_directory(path, None, mode)


def set_directory(path: str, owner: "pwd.struct_passwd | None", mode: int = -1) -> None:
    """Give a directory to the account, if one is named, and the mode, if one is. What is in it stays as it is."""
    with _Way(path) as way:
        directory = way.open(os.O_RDONLY | os.O_DIRECTORY, stat.S_IFDIR)
    try:
        if mode >= 0:
            os.fchmod(directory, mode)
        if owner:
            os.fchown(directory, owner.pw_uid, owner.pw_gid)
    finally:
        os.close(directory)


def move(path: str, new: str) -> None:
    """Rename a directory. What took its name meanwhile and is none does not stay."""
    with _Way(path) as way, _Way(new) as place:
        os.rename(way.name, place.name, src_dir_fd=way.directory, dst_dir_fd=place.directory)
        if not stat.S_ISDIR(place.status().st_mode):
            os.unlink(place.name, dir_fd=place.directory)
            raise OSError(_ELOOP, "it was no directory but what its directory's account put there", path)


def clear(path: str, keep: "tuple[str, ...]" = ()) -> None:
    """Remove all that is in a directory."""
    import shutil

    with _Way(path) as way:
        directory = way.open(os.O_RDONLY | os.O_DIRECTORY, stat.S_IFDIR)
    try:
        for name in os.listdir(directory):
            if name in keep:
                continue
            if stat.S_ISDIR(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode):
                shutil.rmtree(f"/proc/self/fd/{directory}/{name}")  # it follows no link below
            else:
                os.unlink(name, dir_fd=directory)
    finally:
        os.close(directory)


def remove_directory(path: str) -> None:
    """With all that is in it, if it is there; or what is there instead."""
    if not there(path):
        return
    with _Way(path) as way:
        if stat.S_ISDIR(way.status().st_mode):
            clear(path)
            os.rmdir(way.name, dir_fd=way.directory)
        else:
            os.unlink(way.name, dir_fd=way.directory)
