"""The Erlang cookie: the secret that brokers, and this agent, prove to each other."""

import os

from backstay.errors import PermissionMissing, WrongParameter
from backstay.rabbitmq.launch import account

TYPE_CHECKING = False


def read(path: str) -> str:
    """Raises WrongParameter when there is none, PermissionMissing."""
    try:
        with open(path, encoding="ascii", errors="replace") as source:
            cookie = source.read().strip()
    except FileNotFoundError:
        cookie = ""
    except OSError as error:
        raise PermissionMissing(f"the Erlang cookie {path} cannot be read: {error.strerror}") from None
    if not cookie:
        raise WrongParameter(f"there is no Erlang cookie in {path}: set cookie, or copy the file from another node")
    return cookie


def ensure(path: str, wanted: str, user: str) -> str:
    """The cookie, with `wanted` written when it is given and the file differs, and the file readable by the account
    alone, as Erlang demands. Raises WrongParameter, PermissionMissing."""
    if os.path.basename(path) != ".erlang.cookie":
        raise WrongParameter(f"cookie_file={path}: Erlang reads only a file named .erlang.cookie")
    owner = account(user)
    try:
        if wanted and (not os.path.exists(path) or read(path) != wanted):
            _write(path, wanted, owner.pw_uid, owner.pw_gid)
        cookie = read(path)
        status = os.stat(path)
        if status.st_uid != owner.pw_uid:
            os.chown(path, owner.pw_uid, owner.pw_gid)
        if status.st_mode & 0o077:
            os.chmod(path, 0o400)
    except OSError as error:
        raise PermissionMissing(f"the Erlang cookie {path} cannot be put right: {error.strerror}") from None
    return cookie


def _write(path: str, cookie: str, user: int, group: int) -> None:
    """As a whole or not at all: half a cookie locks the node out of its cluster."""
    temporary = f"{path}.{os.getpid()}"
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as sink:
            os.fchown(sink.fileno(), user, group)
            sink.write(cookie)
            sink.flush()
            os.fsync(sink.fileno())
        os.rename(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def derived_password(cookie: str, purpose: str) -> str:
    """A password that every node can work out and nobody without the cookie can."""
    import hashlib
    import hmac

    return hmac.new(cookie.encode(), purpose.encode(), hashlib.sha256).hexdigest()[:32]
