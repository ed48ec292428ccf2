"""The configuration's servers, and their state across a reload. Pure.

A new worker knows nothing of the old one's servers: one that an admin drained would serve again, and one known to be
dead would get traffic until its checks have failed. Two ways carry the state over:

| way                              | when                                        | gap                                      |
|----------------------------------|---------------------------------------------|------------------------------------------|
| server-state-file, which the new | the configuration says                      | none                                     |
| worker reads before it serves    | `load-server-state-from-file global`        |                                          |
| runtime commands afterwards      | always, for what differs then               | until the agent has asked, tens of ms    |

State goes with a server only while its line in the configuration stays the same, as another address or port is another
server (haproxy/haproxy#985, #2506). Source: management.txt, "show servers state"; version 1 of its format.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

_BACKEND, _SERVER, _OPERATIONAL, _ADMIN, _WEIGHT, _CONFIGURED_WEIGHT = 1, 3, 5, 6, 7, 8
_CHECK_STATE = 13
_ADDRESS, _NAME, _PORT = 4, 17, 18
_FORCED_MAINTENANCE, _FORCED_DRAIN = 1, 8  # SRV_ADMF_FMAINT, SRV_ADMF_FDRAIN
_CHECK_ENABLED = 2  # CHK_ST_ENABLED
_STOPPED = 0  # SRV_ST_STOPPED
_SECTIONS = {"global", "defaults", "frontend", "listen", "backend"}
_OTHERS = {
    "peers", "userlist", "resolvers", "mailers", "cache", "program", "http-errors", "ring", "log-forward", "fcgi-app",
    "traces", "crt-store", "log-profile", "acme", "healthcheck",
}  # fmt: skip
_MOST = 10_000  # servers of a template whose state is carried over: a slip of the pen must not cost the node its memory
# What may have HAProxy itself fetch something by HTTPS: scripts, OCSP responses, certificates.
_FETCHES = ("lua", "httpclient", "ocsp", "acme", "crt-list", "crt-store")


class Configuration:
    """What the agent reads in the admin's configuration; HAProxy itself checks it.

    bound: proxies that listen. servers: (backend, server) to all that determines which server that is. settings: the
    keywords of the global sections, with their first argument. fetches: whether HAProxy itself may be an HTTPS client.
    """

    def __init__(self, text: str) -> None:
        self.bound: list[str] = []
        self.servers: dict[tuple[str, str], str] = {}
        self.settings: dict[str, str] = {}
        self.fetches = False
        section = name = ""
        inherited: list[str] = []  # default-server lines of the defaults section in force
        own: list[str] = []
        for line in text.split("\n"):  # as HAProxy: a page break ends no line
            words = line.partition("#")[0].split()
            if not words:
                continue
            self.fetches = self.fetches or any(one in word for word in words for one in _FETCHES)
            if words[0] in _SECTIONS or words[0] in _OTHERS:
                section, name = words[0], words[1] if len(words) > 1 else ""
                own = []
                if section == "defaults":
                    inherited = own
            elif section == "global":
                keyword = " ".join(words[:2]) if words[0] == "no" else words[0]
                self.settings[keyword] = words[1] if len(words) > 1 else ""
            elif words[0] == "default-server":
                own.append(" ".join(words))
            elif words[0] == "bind" and section in ("frontend", "listen") and name not in self.bound:
                self.bound.append(name)
            elif words[0] in ("server", "server-template") and section in ("listen", "backend") and len(words) > 2:
                what = "\n".join([*(inherited if own is not inherited else []), *own, " ".join(words)])
                self.servers.update({(name, server): what for server in _names(words)})


def _names(words: "list[str]") -> "list[str]":
    if words[0] == "server":
        return [words[1]]
    import re

    found = re.match(r"(?:([0-9]{1,9})-)?([0-9]{1,9})$", words[2])  # server-template PREFIX FIRST-LAST, or NUMBER
    if not found or int(found[2]) - int(found[1] or 1) >= _MOST:
        return []
    return [f"{words[1]}{number}" for number in range(int(found[1] or 1), int(found[2]) + 1)]


def unchanged(before: Configuration, after: Configuration) -> "frozenset[tuple[str, str]]":
    """Servers, as (backend, server), that are the same in both."""
    return frozenset(key for key, what in after.servers.items() if before.servers.get(key) == what)


def keep(dump: str, same: "frozenset[tuple[str, str]]", after: Configuration) -> str:
    """The dump for the new worker, with the lines of these servers alone; it ends with a line end, without which HAProxy reads
    nothing. Where a server is says the configuration `after`: HAProxy would go on with the old place, though a variable in the
    line, or its name, now says another."""
    kept = []
    for line in dump.strip().splitlines():
        key = _key(line)
        if key is None:
            kept.append(line)
        elif key in same and (placed := _placed(line, after.servers[key])):
            kept.append(placed)
    return "\n".join(kept or ["1"]) + "\n"


def _placed(line: str, what: str) -> str:
    """The line of the dump, its address left to the configuration; "" for a server whose port is not known without HAProxy: the
    format cannot leave a port out. Such a server gets its state by commands. One with `resolvers` keeps the address: it is
    corrected by them, and has none until they answer."""
    words = what.rpartition("\n")[2].split()
    if "$" in what:
        return ""
    if "resolvers" in what.split():
        return line
    fields = line.split()
    host, colon, port = words[3 if words[0] == "server-template" else 2].rpartition(":")
    if not colon or (":" in host and "[" not in host):
        port = "0"
    if not port.isdigit() or len(fields) <= _PORT:
        return ""
    fields[_ADDRESS], fields[_NAME], fields[_PORT] = "-", "-", port
    return " ".join(fields)


def restore(before: str, after: str, same: "frozenset[tuple[str, str]]") -> "list[str]":
    """Runtime commands that bring the servers from the dump `after` to the state in the dump `before`."""
    now = {_key(line): line.split() for line in after.splitlines()}
    commands = []
    for line in before.splitlines():
        key = _key(line)
        then, current = line.split(), now.get(key)
        if key is None or current is None or key not in same:
            continue
        server = f"set server {key[0]}/{key[1]}"
        admin, admin_now = int(then[_ADMIN]), int(current[_ADMIN])
        if admin & _FORCED_MAINTENANCE and not admin_now & _FORCED_MAINTENANCE:
            commands.append(f"{server} state maint")
        elif admin & _FORCED_DRAIN and not admin_now & _FORCED_DRAIN:
            commands.append(f"{server} state drain")
        if then[_WEIGHT] != current[_WEIGHT] and then[_CONFIGURED_WEIGHT] == current[_CONFIGURED_WEIGHT]:
            commands.append(f"{server} weight {then[_WEIGHT]}")
        down, up_now = int(then[_OPERATIONAL]) == _STOPPED, int(current[_OPERATIONAL]) != _STOPPED
        if down and up_now and not admin and int(then[_CHECK_STATE]) & _CHECK_ENABLED:
            commands.append(f"{server} health down")  # its next checks bring it up again if it lives
    return commands


def _key(line: str) -> "Optional[tuple[str, str]]":
    """Backend and server of a line of the dump; None for its head."""
    fields = line.split()
    if line.startswith("#") or len(fields) <= _CHECK_STATE:
        return None
    return fields[_BACKEND], fields[_SERVER]
