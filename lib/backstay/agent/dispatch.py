"""The OCF contract: from exec to method to exit code. Flow: agents/NAME → run() → main() → one method of the agent.

Rules of the contract that live here and nowhere else:
- An unknown action is 3. Unexpected errors are 1, logged with their traceback.
- The last line `ocf-exit-reason:…` on stderr is what the admin reads; Pacemaker keeps its first 128 bytes.
- Only monitor returns a code; every other action succeeds by returning and fails by raising.
- A probe answers 0, 7, 8, 9 or 5. On 2, 4 and 6 Pacemaker would ban the node or stop the resource everywhere (unpack.c,
  `remap_operation`), and a typo in a parameter must not do that.
"""

from __future__ import annotations

import os
import sys

from backstay.agent.context import STANDING, Context
from backstay.host.process import no_core
from backstay.host.state_files import unwritable
from backstay.ocf.codes import ExitCode
from backstay.ocf.errors import AgentError, NotInstalled, TimedOut
from backstay.ocf.invocation import Invocation
from backstay.ocf.parameters import Actions, action, actions_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import NoReturn

    from backstay.ocf.parameters import Parameters


_NO_ROOM = {5, 28, 30, 122}  # EIO, ENOSPC, EROFS, EDQUOT
_TIMEOUT = 20.0  # seconds, of an action that is not declared


class Agent(Actions):
    """Base of all agents: the OCF actions, each a method marked with `@action`. Nobody imports a subclass but its service's
    declaration: what parts of a service share is in the context."""

    context_class: type[Context] = Context
    members_only = False  # whether it counts nodes, and so needs one that votes in the cluster

    def __init__(self, invocation: Invocation) -> None:
        declared = (spec.timeout for spec in actions_of(type(self)) if spec.name == invocation.action)
        self.context = self.context_class(invocation, next(declared, _TIMEOUT))

    @classmethod
    def parameters_class(cls) -> type[Parameters]:
        return cls.context_class.parameters_class

    def check_host(self) -> None:
        """Whether this host suits: software, files, rights. Raises AgentError. Called by validate-all at level 10."""

    def check_node(self) -> None:
        """Whether this kind of node suits. Raises NotInstalled, which keeps the instance off this node alone."""
        if self.members_only and self.context.invocation.remote:
            name, node = self.context.parameters.name, self.context.invocation.node
            raise NotInstalled(
                f"{node} is a Pacemaker Remote node and {name} runs on members only: keep it off by a location (#kind ne cluster)"
            )

    def fail_on(self, findings: Sequence[str]) -> None:
        """The first of the findings becomes the exit reason, the others go to the log. Raises AgentError when there are any."""
        for finding in findings[1:]:
            self.context.log.error(finding)
        if findings:
            raise AgentError(findings[0])

    def alive(self, promoted: bool, reason: str = "") -> ExitCode:
        """How a recurring monitor ends that found the service up. reason: why it is degraded, "" when it is not. An instance
        that may be promoted tells it by an attribute, any other by a degraded result (degraded.py)."""
        context = self.context
        reason = context.log.masked("; ".join(filter(None, [reason, *context.troubles[:1]])))
        if context.invocation.promotable:
            self.publish(reason)
        elif reason:
            context.explain(reason)
            return ExitCode.DEGRADED_PROMOTED if promoted else ExitCode.DEGRADED
        return ExitCode.RUNNING_PROMOTED if promoted else ExitCode.SUCCESS

    def publish(self, reason: str) -> None:
        """Why the instance is not as wanted, "" when it is. A healthy monitor pays one look for a file. A cluster that takes no
        attribute fails no monitor."""
        context = self.context
        noted = context.state.read(STANDING)
        if not noted and not reason:
            return
        from backstay.agent.degraded import Standing
        from backstay.cluster.attributes import STATE

        before = Standing.parse(noted)
        now = before.found(context.invocation.check_level, reason)
        try:
            context.pacemaker.set_attribute(STATE, now.published)
            context.state.write(STANDING, str(now)) if now.reasons else context.state.remove(STANDING)
        except AgentError as error:
            context.log.warning(f"not published, the next monitor tries again: {error}")
        if now.published != before.published:
            context.log.warning(f"not as wanted: {now.published}" if now.reasons else f"over: {before.published}")

    @action(timeout=5)
    def meta_data(self) -> None:
        """Print the meta-data, OCF 1.1."""
        from backstay.ocf.metadata import render

        sys.stdout.write(render(type(self)))

    @action(timeout=20)
    def validate_all(self) -> None:
        """Level 0 checks the parameters alone, level 10 also this host (OCF 1.1, "validate-all")."""
        self.context.parameters.check()
        if self.context.invocation.check_level >= 10:
            self.check_node()
            self.check_host()


def run(agent_class: type[Agent]) -> NoReturn:
    """The whole process of an agent. It ends without the interpreter's tidying up, a sixth of a monitor's cost."""
    code = main(agent_class, sys.argv, os.environ)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def main(agent_class: type[Agent], argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run one action; the exit status. `argv` as in sys.argv."""
    no_core()
    methods = {spec.name: spec.method for spec in actions_of(agent_class)}
    wanted = argv[1] if len(argv) > 1 else ""
    if wanted in ("usage", "help", ""):
        sys.stdout.write(f"usage: {agent_class.parameters_class().name} {{{'|'.join(methods)}}}\n")
        return ExitCode.SUCCESS if wanted else ExitCode.ERR_UNIMPLEMENTED
    invocation = Invocation(wanted, environ)
    if invocation.action not in methods:
        sys.stderr.write(f"ocf-exit-reason:{agent_class.parameters_class().name} has no action {wanted}\n")
        return ExitCode.ERR_UNIMPLEMENTED
    agent = agent_class(invocation)
    context = agent.context
    try:
        if invocation.action == "start":
            agent.check_node()
        if not invocation.lenient and invocation.action not in ("meta-data", "validate-all"):
            context.settle_parameters(strict=invocation.action == "start")
        code = getattr(agent, methods[invocation.action])()
        return int(_told(context, ExitCode.SUCCESS if code is None else code))
    except AgentError as error:
        return _fail(context, str(error), error.code if not invocation.is_probe else _probe_code(error))
    except Exception as error:  # noqa: BLE001  the one place where an unknown error becomes an exit code
        if isinstance(error, OSError) and error.errno in _NO_ROOM:
            where = os.path.dirname(os.fsdecode(error.filename)) if error.filename else "a file system"
            return _fail(context, unwritable(where, error), ExitCode.ERR_GENERIC)
        import traceback

        context.log.error(traceback.format_exc())
        return _fail(context, f"internal error, see the log: {type(error).__name__}: {error}", ExitCode.ERR_GENERIC)


def _told(context: Context, code: ExitCode) -> ExitCode:
    """What the action returns once it was told what it had to do without."""
    degraded = {ExitCode.SUCCESS: ExitCode.DEGRADED, ExitCode.RUNNING_PROMOTED: ExitCode.DEGRADED_PROMOTED}
    troubles = context.troubles[:1]
    if not troubles or context.invocation.is_probe or troubles[0] in context.explained:
        return code
    if (
        context.invocation.action != "monitor" or context.invocation.promotable
    ):  # of those `alive` has told what it could
        context.log.warning(troubles[0])
        return code
    context.explain("; ".join(filter(None, [context.explained, *troubles])))
    return degraded.get(code, code)


def _probe_code(error: AgentError) -> ExitCode:
    """What a probe that could not finish answers: software that is not there does not run; a server that gives no
    answer does, and the first real monitor says what is wrong with it."""
    if isinstance(error, NotInstalled):
        return ExitCode.ERR_INSTALLED
    return ExitCode.SUCCESS if isinstance(error, TimedOut) else ExitCode.NOT_RUNNING


def _fail(context: Context, reason: str, code: ExitCode) -> int:
    """Tell the admin why, and Pacemaker which code."""
    context.log.error(f"{context.invocation.action}: {' '.join(context.log.masked(reason).split())}")
    context.explain(reason)
    return int(code)
