"""The Erlang cookie: the secret with which brokers, and this agent, prove themselves to each other."""

from __future__ import annotations

import os

from backstay.host import untrusted
from backstay.ocf.errors import PermissionMissing, WrongParameter

TYPE_CHECKING = False
if TYPE_CHECKING:
    import pwd


def read(path: str) -> str:
    """Raises WrongParameter when there is none, PermissionMissing."""
    try:
        cookie = untrusted.read(path).decode("ascii", "replace").strip()
    except FileNotFoundError:
        cookie = ""
    except OSError as error:
        raise PermissionMissing(f"the Erlang cookie {path} cannot be read: {error.strerror}") from None
    if not cookie:
        raise WrongParameter(f"there is no Erlang cookie in {path}: set cookie, or copy the file from another node")
    return cookie


def ensure(path: str, wanted: str, owner: pwd.struct_passwd) -> str:
    """The cookie, with `wanted` written when it is given and the file differs, and the file readable by the account
    alone, as Erlang demands. Raises WrongParameter, PermissionMissing."""
    if os.path.basename(path) != ".erlang.cookie":
        raise WrongParameter(f"cookie_file={path}: Erlang reads only a file named .erlang.cookie")
    try:
        if wanted and _held(path) != wanted:
            # As a whole or not at all: half a cookie locks the node out of its cluster.
            untrusted.replace(path, wanted, owner, 0o400, sync=True)
        cookie = read(path)
        untrusted.give(path, owner, 0o600)
    except OSError as error:
        raise PermissionMissing(f"the Erlang cookie {path} cannot be put right: {error.strerror}") from None
    return cookie


def _held(path: str) -> str:
    """The cookie that is there, "" for none or what cannot be read as one."""
    try:
        return read(path)
    except (PermissionMissing, WrongParameter):
        return ""


def derived_password(cookie: str, purpose: str) -> str:
    """A password that every node can work out and nobody without the cookie can."""
    import hashlib
    import hmac

    return hmac.new(cookie.encode(), purpose.encode(), hashlib.sha256).hexdigest()[:32]
