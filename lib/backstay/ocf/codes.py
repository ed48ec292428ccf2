"""The words of the OCF contract: exit codes and roles.

Plain classes, not `enum`: importing that is a quarter of what a monitor without child processes costs (measured for
the virtual address: 3.5 of 14 ms CPU).

Source: OCF resource agent API 1.1 ("Exit status codes"), and for 190/191 Pacemaker Administration, "Resource Agents".
"""

from __future__ import annotations


class ExitCode(int):
    """What an action tells Pacemaker. The comment is Pacemaker's reaction."""

    SUCCESS: ExitCode
    ERR_GENERIC: ExitCode  # soft: recover, here or elsewhere
    ERR_ARGS: ExitCode  # hard: never again on this node
    ERR_UNIMPLEMENTED: ExitCode  # hard
    ERR_PERM: ExitCode  # hard
    ERR_INSTALLED: ExitCode  # hard
    ERR_CONFIGURED: ExitCode  # fatal: stopped on all nodes
    NOT_RUNNING: ExitCode
    RUNNING_PROMOTED: ExitCode
    FAILED_PROMOTED: ExitCode  # soft
    DEGRADED: ExitCode  # no reaction, shown in the status with its reason; not where roles change (agent/degraded.py)
    DEGRADED_PROMOTED: ExitCode


ExitCode.SUCCESS = ExitCode(0)
ExitCode.ERR_GENERIC = ExitCode(1)
ExitCode.ERR_ARGS = ExitCode(2)
ExitCode.ERR_UNIMPLEMENTED = ExitCode(3)
ExitCode.ERR_PERM = ExitCode(4)
ExitCode.ERR_INSTALLED = ExitCode(5)
ExitCode.ERR_CONFIGURED = ExitCode(6)
ExitCode.NOT_RUNNING = ExitCode(7)
ExitCode.RUNNING_PROMOTED = ExitCode(8)
ExitCode.FAILED_PROMOTED = ExitCode(9)
ExitCode.DEGRADED = ExitCode(190)
ExitCode.DEGRADED_PROMOTED = ExitCode(191)
DEGRADED_CODES = (ExitCode.DEGRADED, ExitCode.DEGRADED_PROMOTED)  # no failures, though Pacemaker lists them, for good


class Role:
    """Roles as OCF 1.1 and Pacemaker 2.1 spell them: `value`."""

    PROMOTED: Role
    UNPROMOTED: Role

    def __init__(self, value: str) -> None:
        self.value = value


Role.PROMOTED = Role("Promoted")
Role.UNPROMOTED = Role("Unpromoted")
_OLD = {"Master": "Promoted", "Slave": "Unpromoted"}  # as Pacemaker before 2.1 calls them, and old configurations do


def role_name(text: str) -> str:
    """A role as Pacemaker 2.1 spells it, by whichever name it is given."""
    return _OLD.get(text, text)
