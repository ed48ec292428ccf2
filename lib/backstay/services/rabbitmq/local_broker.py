"""This node's broker as the parameters describe it: its name, its process, its files, and the ways to reach it."""

from __future__ import annotations

import os

from backstay.host.state_files import StateFile
from backstay.ocf.errors import AgentError
from backstay.services.rabbitmq import process

PROCESS = StateFile("process", "the broker's identity", lost="the broker is looked for among all processes")
SETTINGS = StateFile(
    ".conf.d", "directory beside this one: the agent's settings for RabbitMQ", lost="written again by each start"
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.agent.log import Log
    from backstay.cluster.pacemaker import Pacemaker
    from backstay.host.deadline import Deadline
    from backstay.host.process import Process
    from backstay.host.state_files import Files
    from backstay.services.rabbitmq.amqp import Listener
    from backstay.services.rabbitmq.distribution import Node
    from backstay.services.rabbitmq.launch import Layout
    from backstay.services.rabbitmq.parameters import RabbitmqParameters


class LocalBroker:
    """pacemaker: asked for the node's name, where the parameters want it. state: of the agent. log: gets the cookie as a
    secret. purpose: how the agent's own Erlang node is called."""

    def __init__(self, given: RabbitmqParameters, pacemaker: Pacemaker, state: Files, log: Log, purpose: str) -> None:
        self._given = given
        self._pacemaker = pacemaker
        self._state = state
        self._log = log
        self._purpose = purpose

    @property
    def erlang_name(self) -> str:
        """The broker's node name."""
        wanted = self._given.node_name
        name = wanted.replace("{node}", self._pacemaker.node()) if wanted else ""
        return name or f"rabbit@{os.uname().nodename.partition('.')[0]}"

    @property
    def directory(self) -> str:
        """Of its data."""
        return os.path.join(self._given.data_directory, self.erlang_name)

    @property
    def listener(self) -> Listener:
        """Where the agent asks its broker over AMQP."""
        from backstay.services.rabbitmq.amqp import Listener

        given = self._given
        if given.tls_port:
            return Listener(given.tls_port, given.tls_ca, self.erlang_name.partition("@")[2], given.proxy_protocol)
        return Listener(given.port, proxied=given.proxy_protocol)

    def layout(self) -> Layout:
        """Raises NotInstalled."""
        from backstay.services.rabbitmq import launch

        given = self._given
        return launch.Layout(
            server=launch.find_server(given.server),
            node=self.erlang_name,
            config=given.config,
            base=given.data_directory,
            logs=given.log_directory,
            user=given.user,
            cookie_file=given.cookie_file,
            listener=self.listener,
            settings=f"{self._state.directory}{SETTINGS.name}",
        )

    def find(self) -> Process | None:
        return process.find(self._state.read(PROCESS), self.erlang_name, self.directory)

    def running(self) -> Process:
        """Raises AgentError."""
        found = self.find()
        if found is None:
            raise AgentError("the broker does not run")
        return found

    def cookie(self) -> str:
        """What the broker was started with: the file, once it is there. Raises AgentError."""
        from backstay.services.rabbitmq import cookie

        secret = cookie.read(self._given.cookie_file)
        if secret not in self._log.secrets:
            self._log.secrets.append(secret)
        return secret

    def connect(self, deadline: Deadline) -> Node:
        """Its Erlang node. Raises NodeDown, NodeSilent, WrongCookie."""
        from backstay.services.rabbitmq import broker

        return broker.connect(self.erlang_name, self.cookie(), deadline, self._purpose)
