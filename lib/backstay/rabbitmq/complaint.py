"""The telling line of what a failed boot prints. Pure."""

import re

# The broker's words -> what to do. The first that is found is the cause.
_KNOWN = (
    (r"eaddrinuse.*?port[ ,:]+(\d+)|port (\d+) in use", "a port is taken: {0}"),
    (r"inconsistent_cluster", "the others removed this node, or its data is of another cluster: {line}"),
    (r"timeout_waiting_for_tables", "it waited in vain for the nodes that went down last"),
    (r"cookie", "{line}"),
    (
        r"(?:Error (?:parsing|preparing) configuration|failed_to_\w+_configuration)",
        "the configuration is not accepted: {line}",
    ),
)
_ERROR = re.compile(
    r"^(?:\S+ \S+ )?\[(?:error|critical)\] <[0-9.]+>\s*(.*)$|^\s*(?:Error|ERROR)[:,]? (.*)$", re.MULTILINE
)
_NOISE = re.compile(r"^(BOOT FAILED|=+|\s*|Error during startup.*|Supervisor.*|\*+|Backtrace.*)$")


def complaint(printed: str) -> str:
    """One line; "" when nothing tells."""
    errors = [(first or second).strip() for first, second in _ERROR.findall(printed)]
    errors = [line for line in errors if line and not _NOISE.match(line)]
    after = printed.partition("BOOT FAILED")[2].splitlines()
    errors += [line.strip() for line in after if line.strip() and not _NOISE.match(line.strip())]
    return errors[0] if errors else ""
