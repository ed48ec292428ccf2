"""What an admin's options would do to the set, before they do it. Pure: options as the server itself resolves them in, sentences
out. Options on which the agent's promises rest are not here: those it passes itself (`Dialect.required`).
"""

from __future__ import annotations

from backstay.ocf.table import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from backstay.services.mysql.parameters import MysqlParameters

    # an option's names, the one that counts first; whether a value hurts; what it does; what to do
    Hazard = tuple[tuple[str, ...], Callable[[str, "Given"], bool], str, str]

_LOOPBACK = ("127.", "::1", "localhost")
_ANYWHERE = ("", "*", "0.0.0.0", "::", "(No default value)")
_NO_FILTERS = ("replicate-annotate-row-events", "replicate-events-marked-for-skip", "replicate-same-server-id")
_UNSET = ("", "OFF", "NONE", "(NO DEFAULT VALUE)")


class Given(Value):
    """Of the agent's parameters what decides whether an option hurts. tls: the servers use TLS among themselves."""

    __slots__ = ("tls", "writer")

    def __init__(self, parameters: MysqlParameters) -> None:
        self.tls = bool(parameters.tls_ca)
        self.writer = parameters.writer_address


def _on(value: str, given: Given) -> bool:
    return value.upper() in ("TRUE", "ON", "1")


def _set(value: str, given: Given) -> bool:
    return value.upper() not in _UNSET


def _listened_on(value: str) -> list[str]:
    return [address.strip() for address in value.split(",")]


def _this_host_alone(value: str, given: Given) -> bool:
    return all(address.startswith(_LOOPBACK) for address in _listened_on(value))


def _without_the_writer(value: str, given: Given) -> bool:
    addresses = _listened_on(value)
    if not given.writer or _this_host_alone(value, given):
        return False
    return not any(address in _ANYWHERE or address == given.writer for address in addresses)


def _idempotent(value: str, given: Given) -> bool:
    return value.upper() == "IDEMPOTENT"


_REMOVE, _EVERYWHERE = "remove it from {file}", "in {file} set bind-address = *"
_UNREACHED = "no other node and no replica reaches the server"
_DIFFERS = "a replica goes on where it differs from the primary, and differs more"
# fmt: off
HAZARDS: tuple[Hazard, ...] = (
    (("skip-networking",), _on, _UNREACHED, _REMOVE),
    (("bind-address",), _this_host_alone, _UNREACHED, _EVERYWHERE),
    (("bind-address",), _without_the_writer, "nobody reaches the server by the writer address", _EVERYWHERE),
    (("require-secure-transport",), lambda value, given: _on(value, given) and not given.tls,
     "replicas cannot connect, since they replicate without TLS", "set the parameter tls_ca, or remove it from {file}"),
    (("innodb-force-recovery",), lambda value, given: value.isdigit() and value != "0",
     "the server skips repairs of its data, and from 4 on can destroy it", "save the data, then remove it from {file}"),
    (("skip-grant-tables",), _on, "everybody may do everything, and no account can be made", _REMOVE),
    (("replica-skip-errors", "slave-skip-errors"), _set, _DIFFERS, _REMOVE),
    (("replica-exec-mode", "slave-exec-mode"), _idempotent, _DIFFERS, _REMOVE),
    (("replicate-same-server-id",), _on, "a server applies again what it wrote itself", _REMOVE),
    (("innodb-flush-method",), lambda value, given: value.lower() in ("nosync", "littlesync"),
     "what was acknowledged is lost when the node loses power", _REMOVE),
    (("wsrep-on",), _on, "Galera would replicate beside the cluster", _REMOVE),
    (("binlog-do-db",), _set, "all other databases are in no binary log, and on no replica", _REMOVE),
    (("binlog-ignore-db",), _set, "this database is in no binary log, and on no replica", _REMOVE),
)
# fmt: on


def hazards(options: Mapping[str, str], given: Given, file: str, then: str = "") -> dict[str, str]:
    """Of each option that hurts, a sentence with its remedy. options: name with dashes -> value, as the functions below give
    them. file: where the admin sets them. then: what is to be done afterwards."""
    found: dict[str, str] = {}
    for names, hurts, harm, remedy in HAZARDS:
        name = next((one for one in names if one in options), "")
        if name and hurts(options[name], given):
            found[name] = f"{name}={options[name]}: {harm}: {remedy.format(file=file)}{then}"
    for name, value in options.items():
        if name.startswith("replicate-") and name not in _NO_FILTERS and _set(value, given):
            harm = "a replica applies only a part of what it acknowledged, and would lack the rest as primary"
            found[name] = f"{name}={value}: {harm}: remove it from {file}{then}"
    return found


def read_options(said: str) -> dict[str, str]:
    """What the admin's files set, from every group that the server reads: `mariadbd --print-defaults`. Names with dashes, an
    option without a value has ""."""
    _, _, line = said.partition("\n")
    found = {}
    for option in f" {line.strip()}".split(" --")[1:]:
        name, _, value = option.partition("=")
        found[name.strip().replace("_", "-").removeprefix("loose-")] = value.strip()
    return found


def read_values(said: str) -> dict[str, str]:
    """All variables and what they would be: the table at the end of `mariadbd --verbose --help`."""
    _, _, table = said.partition("\n---")
    lines = table.partition("\n")[2].partition("\n\n")[0].splitlines()
    pairs = (line.partition(" ") for line in lines)
    return {name: value.strip() for name, _, value in pairs}
