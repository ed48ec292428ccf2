"""How the systems' topologies are made: from the templates that people use.

A topology is two functions, so that several can be put together: one prepares the nodes and says what values its template gets,
the other waits with a deadline until it serves, and leaves its URLs in `lab.endpoints`. Between them stands `configure`.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from backstay_lab.machines.cluster import Lab


def configure(lab: "Lab", template: str, values: "Mapping[str, str]") -> None:
    """Load a template, of the version that the nodes began with, into the cluster, as an admin does."""
    from backstay.admin.templates import load, render

    path = f"/root/{template}.crm"
    lab.put(lab.nodes[0], path, render(load(template, lab.templates), values), mode=0o600)
    lab.run(lab.nodes[0], ["crm", "configure", "load", "update", path])
