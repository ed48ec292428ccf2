"""What the parts of this agent share: the parameters, where this instance lives, its master, and its frontends."""

from __future__ import annotations

from backstay.agent.context import Context
from backstay.services.haproxy import daemon
from backstay.services.haproxy.parameters import HaproxyParameters


class HaproxyContext(Context):
    parameters_class = HaproxyParameters
    parameters: HaproxyParameters

    def layout(self, complete: bool = False) -> daemon.Layout:
        """Where this instance lives. complete: with the program, which a stop does not need. Raises NotInstalled then."""
        binary = daemon.find_binary(self.parameters.binary) if complete else ""
        run = self.invocation.environ.get("BACKSTAY_RUN", "/run/backstay")
        return daemon.Layout(binary, self.parameters.config, f"{run}/{self.invocation.resource}")

    @property
    def master(self) -> daemon.Master:
        return daemon.Master(self.layout().socket, self.state)

    def frontends(self) -> list[str]:
        """Names of those that matter: as the parameter says, or all that listen."""
        return self.parameters.chosen_frontends() or self.state.read(daemon.FRONTENDS).split()
