"""What the parts of this agent share: the parameters, what this node remembers, the servers of the set, its durable record."""

from __future__ import annotations

from backstay.agent.context import Context
from backstay.ocf.errors import AgentError
from backstay.services.mysql.parameters import MysqlParameters
from backstay.services.mysql.record import MalformedRecord, Record
from backstay.services.mysql.state import RECHECKED, State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.host.deadline import Deadline
    from backstay.ocf.invocation import Invocation
    from backstay.services.mysql.dialects.base import Dialect, Source
    from backstay.services.mysql.process import Process
    from backstay.services.mysql.server import Server


class MysqlContext(Context):
    """servers: the way to each. record: the durable one, of the whole set."""

    parameters_class = MysqlParameters
    parameters: MysqlParameters

    def __init__(self, invocation: Invocation, timeout: float = 20.0) -> None:
        super().__init__(invocation, timeout)
        self.servers = Servers(self)
        self.record = SharedRecord(self)

    @property
    def state(self) -> State:
        """Made on first use: meta-data runs without any rights."""
        return State(self.state_directory(), self.complaints)


class Servers:
    """The servers of the set, as this node reaches them."""

    def __init__(self, context: MysqlContext) -> None:
        self._context = context

    @property
    def me(self) -> str:
        """This node's name, by which the others reach its server."""
        return self._context.pacemaker.node()

    @property
    def number(self) -> int:
        """This node's among the servers, 0 when neither the admin nor the cluster says it."""
        return int(self._context.parameters.server_id or self._context.invocation.node_id)

    def here(self, deadline: Deadline) -> Server:
        """The local server, as the administrative account."""
        from backstay.services.mysql.connect import connect

        given = self._context.parameters
        return connect("the local server", deadline, given.agent_user, given.agent_password, socket=given.socket)

    def peer(self, node: str, dialect: Dialect, seconds: float, account: tuple[str, str] | None = None) -> Server:
        """Another node's server, as the monitor account unless told otherwise."""
        return self.on(node, dialect, self._context.deadline.within(seconds), account)

    def on(self, host: str, dialect: Dialect, deadline: Deadline, account: tuple[str, str] | None = None) -> Server:
        """The server on a host, by a deadline that need not be the action's."""
        from backstay.services.mysql.connect import connect

        given = self._context.parameters
        user, password = account or (given.monitor_user, given.monitor_password)
        return connect(
            f"the server on {host}",
            deadline,
            user,
            password,
            host=host,
            port=given.port,
            tls={"ca": given.tls_ca} if given.tls_ca else dialect.unverified_tls,
        )

    def source(self, host: str) -> Source:
        """The server on a host, as one that replicates from it is told."""
        from backstay.services.mysql.dialects.base import Source

        given = self._context.parameters
        return Source(host, given.port, given.replication_user, given.replication_password, given.tls_ca)

    def dialect(self, server: Server) -> Dialect:
        """Of a server's family and version, which it is asked."""
        from backstay.services.mysql.dialects import dialect_for

        row = server.one("SELECT CONCAT(@@version, ' ', @@version_comment) AS banner")
        return dialect_for(str(row["banner"]))


class SharedRecord:
    """The durable record in the cluster, with a copy among this node's files."""

    def __init__(self, context: MysqlContext) -> None:
        self._context = context

    def read(self) -> Record | None:
        """None when the set was never promoted. Raises AgentError when it cannot be read: without it nothing may be promised."""
        try:
            return Record.parse(self._context.pacemaker.facts())
        except MalformedRecord as error:
            raise AgentError(str(error)) from None

    def write(self, running: Process, record: Record) -> None:
        """In the cluster, then this node's copy of it. Raises AgentError. The monitor beside the address's start need not ask
        what is on record: it has just been written."""
        self._context.log.notice(f"recording {record}")
        self._context.pacemaker.set_facts(str(record))
        self._context.state.set_promoted(running.identity, record)
        self._context.state.write(RECHECKED, "")
