"""The words of the OCF contract: exit codes and roles.

Source: OCF resource agent API 1.1 ("Exit status codes"), and for 190/191 Pacemaker Administration, "Resource Agents".
"""

from enum import Enum, IntEnum


class ExitCode(IntEnum):
    """What an action tells Pacemaker. The comment is Pacemaker's reaction."""

    SUCCESS = 0
    ERR_GENERIC = 1  # soft: recover, here or elsewhere
    ERR_ARGS = 2  # hard: never again on this node
    ERR_UNIMPLEMENTED = 3  # hard
    ERR_PERM = 4  # hard
    ERR_INSTALLED = 5  # hard
    ERR_CONFIGURED = 6  # fatal: stopped on all nodes
    NOT_RUNNING = 7
    RUNNING_PROMOTED = 8
    FAILED_PROMOTED = 9  # soft
    DEGRADED = 190  # no reaction, shown in the status with its reason
    DEGRADED_PROMOTED = 191


class Role(Enum):
    """Roles as OCF 1.1 and Pacemaker 2.1 spell them."""

    PROMOTED = "Promoted"
    UNPROMOTED = "Unpromoted"
