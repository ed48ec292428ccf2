"""Failures that know their exit code. `str(error)` is the exit reason the admin reads.

Write the reason as one sentence that says what is wrong and what to do, the telling part within the first 128 bytes:
Pacemaker cuts it there (lib/services/services_linux.c, `parse_exit_reason_from_stderr`).
"""

from backstay.ocf.codes import ExitCode


class AgentError(Exception):
    """The action failed; Pacemaker recovers the resource (soft error)."""

    code = ExitCode.ERR_GENERIC


class WrongParameter(AgentError):
    """A parameter does not suit this host; another node may do (hard error)."""

    code = ExitCode.ERR_ARGS


class Unimplemented(AgentError):
    """The action does not exist in this agent."""

    code = ExitCode.ERR_UNIMPLEMENTED


class PermissionMissing(AgentError):
    """This node denies what the agent needs (hard error)."""

    code = ExitCode.ERR_PERM


class NotInstalled(AgentError):
    """Software is missing on this node; another node may have it (hard error)."""

    code = ExitCode.ERR_INSTALLED


class Misconfigured(AgentError):
    """No node can run this configuration (fatal error: the resource stops everywhere)."""

    code = ExitCode.ERR_CONFIGURED


class TimedOut(AgentError):
    """A wait met its deadline."""


class CommandFailed(AgentError):
    """A program that the agent ran failed. `status` is its exit status, -N for signal N."""

    def __init__(self, reason: str, status: int, output: str = "") -> None:
        super().__init__(reason)
        self.status = status
        self.output = output


class MonitorFinding(AgentError):
    """What a monitor found that an admin should read, with the monitor's exit code."""

    def __init__(self, reason: str, code: ExitCode) -> None:
        super().__init__(reason)
        self.code = code
