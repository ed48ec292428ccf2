"""What Pacemaker asked, parsed once from argv and environment.

Source: OCF resource agent API 1.1 ("Parameter passing") and Pacemaker Administration; the variables as a real 2.1.5 and
3.0 pass them. An absent interval means a probe: Pacemaker leaves CRM_meta_interval out of all that does not recur.
"""

from __future__ import annotations

from backstay.ocf.codes import role_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_PREFIX = "OCF_RESKEY_"
_META = "OCF_RESKEY_CRM_meta_"


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0


class Invocation:
    """One call of an agent. Treat it as frozen.

    resource: the instance's name without clone number. parameters: as given, defaults not applied. timeout and
    interval: seconds, 0 when not given. role: as Pacemaker 2.1 spells it. node: the local cluster node's name, "" outside a
    cluster. remote: that node is no member: it runs Pacemaker Remote, or is a bundle's container.
    """

    def __init__(self, action: str, environ: Mapping[str, str]) -> None:
        self.action = "monitor" if action == "status" else action
        self.environ = environ
        self.resource = environ.get("OCF_RESOURCE_INSTANCE", "").partition(":")[0] or "default"
        self.parameters = {
            name[len(_PREFIX) :]: value
            for name, value in environ.items()
            if name.startswith(_PREFIX) and not name.startswith(_META)
        }
        self.timeout = _number(environ.get(_META + "timeout", "")) / 1000
        self.interval = _number(environ.get(_META + "interval", "")) / 1000
        self.node = environ.get(_META + "on_node", "")
        number = environ.get(_META + "on_node_uuid", "")
        self.node_id = _number(number)
        self.remote = bool(self.node and number) and not self.node_id  # its uuid is its name
        self.role = role_name(environ.get(_META + "role", ""))
        self.check_level = _number(environ.get("OCF_CHECK_LEVEL", ""))
        self.promotable = bool(environ.get(_META + "promoted_max") or environ.get(_META + "master_max"))

    @property
    def is_probe(self) -> bool:
        return self.action == "monitor" and not self.interval

    @property
    def lenient(self) -> bool:
        """Whether bad parameters must not fail the action: a failed stop fences, a failed probe bans the node."""
        return self.action == "stop" or self.is_probe
