"""The parameters of ocf:backstay:haproxy."""

from __future__ import annotations

from backstay.ocf.errors import Misconfigured
from backstay.ocf.parameters import Flag, Parameters, Seconds, Text, whole


class HaproxyParameters(Parameters):
    name = "haproxy"
    short = "HAProxy"
    long = """
    Runs HAProxy in master-worker mode, checks its configuration before every start and reload, and reloads it without
    losing a connection: on a change of config_serial, or by itself with reload_on_change. A configuration that is broken
    leaves the running one in service, and a sentence names file and line.

    As a plain resource or clone every instance serves. As a promotable clone the unpromoted instances run warm, with
    their servers checked and their frontends closed, and the promoted one serves.
    """

    binary = Text("The program", "Default: haproxy in /usr/sbin or /usr/local/sbin.")
    config = Text(
        "Configuration",
        "A file, or a directory whose *.cfg files are read in order. It needs no stats socket, pid file or daemon line.",
        default="/etc/haproxy/haproxy.cfg",
    )
    config_serial = Text(
        "Serial of the configuration",
        "Any text; change it and every instance checks and reloads the configuration, without a restart.",
        reloadable=True,
    )
    reload_on_change = Flag(
        "Reload when the configuration changes",
        "Let the monitor check and reload a configuration that it finds changed. Without it, it waits for config_serial.",
        "false",
        reloadable=True,
    )
    frontends = Text(
        "Frontends that matter",
        """Names of frontends and listen sections, separated by commas or spaces: monitor wants them open, and an unpromoted
        instance closes them. Default: all that have a bind line.""",
        reloadable=True,
    )
    require_backends = Text(
        "Backends that must be up",
        """NAME or NAME:SERVERS, separated by commas or spaces: with fewer servers up (default 1) the monitor fails. Only
        where another node may reach servers that this one cannot: otherwise it takes away what is left.""",
        reloadable=True,
    )
    backend_attributes = Text(
        "Backends to publish",
        """Names of backends for which the node attribute RESOURCE-up-BACKEND is 1 while a server of it is up and 0 while
        none is, for rules of other resources; separated by commas or spaces, or all, or none.""",
        default="all",
        reloadable=True,
    )
    hard_stop_after = Seconds(
        "End of old sessions",
        """How long after a reload the old worker may go on with its sessions. hard-stop-after in the configuration's global
        section has priority.""",
        "30min",
        minimum=1,
        reloadable=True,
    )
    drain_timeout = Seconds(
        "Drain",
        """How long stop and demote let sessions finish, with new ones refused, before they end them. At most six tenths of
        the operation's timeout.""",
        "5s",
        minimum=0,
        reloadable=True,
    )
    probe_timeout = Seconds(
        "Probe timeout",
        "An HAProxy that does not answer a monitor for so long has failed.",
        "3s",
        minimum=0.5,
        reloadable=True,
    )

    def required(self) -> dict[str, int]:
        """Backend to the least number of servers. Raises Misconfigured."""
        found = {}
        for word in words(self.require_backends):
            name, colon, count = word.partition(":")
            least = whole(count) if colon else 1
            if not name or not least:
                raise Misconfigured(f"parameter require_backends={word}: write NAME or NAME:SERVERS")
            found[name] = least
        return found

    def chosen_frontends(self) -> list[str]:
        """Empty for all that have a bind line."""
        return words(self.frontends)

    def check(self) -> None:
        super().check()
        self.required()


def words(text: str) -> list[str]:
    return text.replace(",", " ").split()
