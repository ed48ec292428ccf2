"""The parameters of ocf:backstay:haproxy."""

from __future__ import annotations

from backstay.ocf.errors import Misconfigured
from backstay.ocf.parameters import Choice, Flag, Parameters, Seconds, Text, whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.host.ip_address import Address


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

    address = Text(
        "Clients' addresses",
        """The addresses to which clients connect, each held by a resource of its own: ocf:backstay:vip, with the same on_loss.
        Several are separated by commas or spaces. Unset: whoever connects while no HAProxy serves is refused.""",
        reloadable=True,
    )
    on_loss = Choice(
        "Clients that come while HAProxy is dead",
        """What becomes of new connections to `address` from HAProxy's death, its silence or its demotion on, while the address is
        still here. hold: they wait, for another holder of the address or for a restart in place. refuse: they fail at once.""",
        default="hold",
        choices=("hold", "refuse"),
        reloadable=True,
    )
    hold_for = Seconds(
        "Hold at most",
        "With on_loss=hold, how long new connections may wait; then they are refused.",
        "10s",
        minimum=0.1,
        maximum=60,
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

    def addresses(self) -> list[Address]:
        """Of the clients. Raises Misconfigured."""
        from backstay.host.ip_address import parse_address

        try:
            return [parse_address(text) for text in words(self.address)]
        except ValueError as error:
            raise Misconfigured(f"parameter address={self.address}: {error}") from None

    def check(self) -> None:
        super().check()
        self.required()
        if self.address:
            self.addresses()


def words(text: str) -> list[str]:
    return text.replace(",", " ").split()
