"""What would hurt later: a host, Corosync's timing, fencing and the cluster's configuration against what the templates
explain. Pure. A remedy that begins with a command is one that can be run as it stands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from backstay.admin.diagnose import leftovers
from backstay.cluster.model import Finding, Operation, is_true
from backstay.ocf.parameters import parse_time
from backstay.services.advice import DOCUMENTATION
from backstay.services.promoted_role import set_meta

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from backstay.admin.denials import Denial
    from backstay.cluster.model import Cluster, Resource

SLOW = 7000  # ms until a lost node is noticed: above this every failover is slow for no gain; token 3000, for machines that
# pause, is 6600 (docs/production.md)
RETRANSMITS = 10  # of the token, before its next holder counts as lost
PINGS = 3  # tokens that the only link may be silent for before it counts as down
HASTY = 500  # ms of token: below this a busy machine loses members that live
_DROP_INS = "/etc/systemd/system/pacemaker.service.d"
_ALLOW = {
    "AppArmor": "allow it in /etc/apparmor.d/local, in the file that is called as the profile, then: systemctl reload apparmor",
    "SELinux": "restorecon -R {path}, or semanage fcontext for a place of your own; ausearch -m avc -c {program} shows all",
}


def _drop_in(name: str, setting: str) -> str:
    return f"mkdir -p {_DROP_INS} && printf '[Service]\\n{setting}\\n' > {_DROP_INS}/{name}.conf && systemctl daemon-reload"


CONTINUE = _drop_in("backstay", "OOMPolicy=continue")  # with a server that is killed Pacemaker deals itself
DEFAULT_TIMEOUT = 20.0  # seconds, Pacemaker's own for an operation without one


class Corosync(NamedTuple):
    """Milliseconds as in force. nodes: in the node list. coefficient: what each node beyond the second adds to token.
    retransmits: token_retransmits_before_loss_const. ping_timeout: knet's, of the only link; None where there are several, or
    another transport. refused: why Corosync would not start with its configuration."""

    nodes: int
    token: int
    consensus: int
    coefficient: int
    two_node: bool
    retransmits: int = RETRANSMITS
    ping_timeout: int | None = None
    refused: str = ""


class Host(NamedTuple):
    """What this machine lacks. programs, modules, agents: name -> Debian package or what brings it. unresolved: names of
    nodes. remote: it runs Pacemaker Remote, and no Corosync. looped: other nodes' names that resolve to this machine's loopback.
    synchronised: the kernel's clock, None when it is not known. rivals: systemd's units that start at boot a daemon which the
    cluster runs. oom_policy: of systemd's unit of Pacemaker, "" where systemd does not run it. files: how many descriptors that
    unit lets a process have, and how many the services want; 0 where that is not known. denials: of the last hour."""

    name: str
    programs: Mapping[str, str] = {}
    modules: Mapping[str, str] = {}
    agents: Mapping[str, str] = {}
    unresolved: Sequence[str] = ()
    looped: Sequence[str] = ()
    synchronised: bool | None = None
    rivals: Sequence[str] = ()
    corosync: Corosync | None = None
    remote: bool = False
    oom_policy: str = ""
    files: tuple[int, int] = (0, 0)
    denials: Sequence[Denial] = ()


def host(of: Host) -> Iterator[Finding]:
    """This machine, whether the cluster runs or not."""
    for missing in (of.programs, of.modules):
        for name, package in missing.items():
            yield Finding("error", of.name, f"{name} is not installed", f"apt-get install --yes {package}")
    for name, brings in of.agents.items():
        yield Finding("error", of.name, f"the agent {name} is not where Pacemaker looks for it", brings)
    for name in of.unresolved:
        remedy = "add its address to /etc/hosts on every node"
        yield Finding("error", of.name, f"the name {name} does not resolve", remedy)
    for name in of.looped:
        remedy = "give its real address in /etc/hosts"
        yield Finding("error", of.name, f"the name {name} of another node resolves to this machine's loopback", remedy)
    for unit in of.rivals:
        what = (
            f"{unit} starts at boot, beside the one that the cluster starts: one of them finds its port or data taken"
        )
        yield Finding("error", of.name, what, f"systemctl disable {unit}, and systemctl stop {unit} where it runs")
    if of.oom_policy in ("stop", "kill"):
        what = f"pacemaker.service has OOMPolicy={of.oom_policy}: one server killed for memory ends all services of the node"
        yield Finding("warning", of.name, what, CONTINUE)
    allowed, wanted = of.files
    if 0 < allowed < wanted:
        what = f"pacemaker.service has LimitNOFILE={allowed}: the services want up to {wanted}, and refuse clients without them"
        yield Finding("warning", of.name, what, f"{_drop_in('files', f'LimitNOFILE={wanted}')}, then restart Pacemaker")
    for one in of.denials:
        what = f"{one.by} keeps {one.program} from {one.path or 'something'} ({one.what}), as the kernel told in the last hour"
        yield Finding("warning", of.name, what, _ALLOW[one.by].format(program=one.program, path=one.path or "PATH"))
    if of.synchronised is False:
        what = "the clock is not synchronised: logs of nodes cannot be compared, and failures expire at odd times"
        yield Finding("warning", of.name, what, "apt-get install --yes chrony")
    if of.corosync is None and not of.remote:
        what = "there is no /etc/corosync/corosync.conf"
        yield Finding("error", of.name, what, "copy it from another node, or make the cluster: crm cluster init")
    elif of.corosync is not None:
        yield from timing(of.corosync)


def timing(of: Corosync) -> Iterator[Finding]:
    """How soon a lost node is noticed: after token and consensus."""
    if of.refused:
        what = f"corosync.conf is not accepted: {of.refused}"
        yield Finding("error", "corosync", what, "correct /etc/corosync/corosync.conf until corosync -t accepts it")
    reload = "in /etc/corosync/corosync.conf of every node, then: corosync-cfgtool -R"
    noticed = of.token + of.consensus
    if of.nodes > 2 and of.coefficient:
        extra = of.coefficient * (of.nodes - 2)
        what = f"token_coefficient adds {extra} ms to token, and 1.2 times that to consensus"
        yield Finding("warning", "corosync", what, f"totem {{ token_coefficient: 0 }} {reload}")
    if noticed > SLOW:
        what = (
            f"a lost node is noticed only after {noticed / 1000:g} s (token {of.token} ms, consensus {of.consensus} ms)"
        )
        remedy = f"totem {{ token: 1000 token_coefficient: 0 }} and no consensus, {reload}"
        yield Finding("warning", "corosync", what, remedy)
    if of.token < HASTY:
        what = f"token {of.token} ms: nodes are taken for lost when they are merely busy"
        yield Finding("warning", "corosync", what, f"totem {{ token: 1000 }} {reload}")
    if of.retransmits < RETRANSMITS:
        what = f"the token is sent again {of.retransmits} times before a node counts as lost: packet loss takes nodes that live"
        yield Finding(
            "warning", "corosync", what, f"totem {{ token_retransmits_before_loss_const: {RETRANSMITS} }} {reload}"
        )
    if of.ping_timeout is not None and of.ping_timeout < PINGS * of.token:
        what = (
            f"the only link counts as down after {of.ping_timeout} ms without a ping: packet loss takes nodes that live"
        )
        pings = f"linknumber: 0 knet_ping_interval: {of.token // 4} knet_ping_timeout: {PINGS * of.token}"
        yield Finding("warning", "corosync", what, f"totem {{ interface {{ {pings} }} }} {reload}")
    if of.nodes == 2 and not of.two_node:
        what = "two nodes without two_node: the loss of either stops the other"
        yield Finding("error", "corosync", what, f"quorum {{ two_node: 1 }} {reload}")
    if of.two_node and of.nodes != 2:
        what = f"two_node is set for {of.nodes} nodes: each part of a partition would serve"
        yield Finding("error", "corosync", what, f"remove two_node {reload}")


def verified(refused: str) -> Iterator[Finding]:
    """refused: what Pacemaker finds wrong in its configuration."""
    if refused:
        remedy = "crm_verify --live-check --verbose names all; correct them"
        yield Finding("error", "cluster", f"the configuration is not accepted by Pacemaker: {refused}", remedy)


def fencing(cluster: Cluster, tried: frozenset[str] | None) -> Iterator[Finding]:
    """Present, in use, for every node, and seen to work. tried: nodes whose fencing succeeded, None when not known."""
    devices = [one for one in cluster.resources if one.fences]
    yield from _fencing_options(cluster)
    if not devices and not cluster.watchdog:
        what = "there is no fence device: whatever a lost node ran starts nowhere else"
        yield Finding("error", "fencing", what, "configure one for every node: crm ra list stonith, pcs stonith list")
        return
    names = [node.name for node in cluster.nodes if not node.guest]  # those are recovered with their container
    lists = [_hosts(one) for one in devices]
    for name in names:
        if not cluster.watchdog and all(known is not None and name not in known for known in lists):
            what = f"no fence device is for {name}: its loss blocks what it ran"
            yield Finding("error", "fencing", what, "add it to pcmk_host_list or pcmk_host_map of its device")
    yield from _fencing_of_two(cluster, devices)
    untried = [] if tried is None else [name for name in names if name not in tried]
    if untried:
        what = f"no fencing of {', '.join(untried)} is on record: whether it works is not known"
        remedy = f"stonith_admin --reboot {untried[-1]} (at a quiet time; the node goes down at once)"
        yield Finding("warning", "fencing", what, remedy)


def _fencing_options(cluster: Cluster) -> Iterator[Finding]:
    if not cluster.fencing:
        what = "fencing is off: a set cannot be loss-free, for a lost node may still serve"
        remedy = f"crm_attribute --type crm_config --name {cluster.fencing_option} --update true"
        yield Finding("error", "fencing", what, remedy)
    startup = cluster.options.get("startup-fencing", "true")
    if not is_true(startup):
        what = f"startup-fencing={startup}: after a start of all, a node that nobody has seen is taken for dead without proof"
        yield Finding("error", "fencing", what, "crm_attribute --type crm_config --name startup-fencing --delete")


def _fencing_of_two(cluster: Cluster, devices: Sequence[Resource]) -> Iterator[Finding]:
    """Each of two nodes wins against the other, and both are fenced, unless one is slower."""
    members = [node.name for node in cluster.members]
    delayed = any(set(one.parameters) & {"pcmk_delay_base", "pcmk_delay_max"} for one in devices)
    if len(members) == 2 and devices and not delayed and "priority-fencing-delay" not in cluster.options:
        what = "two nodes and no delay: cut off from each other, both may be fenced"
        device = devices[0].id
        remedy = f"crm_resource --resource {device} --set-parameter pcmk_delay_base --parameter-value '{members[0]}:2s'"
        yield Finding("warning", "fencing", what, remedy)


def _hosts(device: Resource) -> list[str] | None:
    """The nodes a device is configured for, None when it finds out by itself."""
    listed = device.parameters.get("pcmk_host_list", "").replace(",", " ").split()
    mapped = device.parameters.get("pcmk_host_map", "").replace(";", " ").split()
    return [*listed, *(pair.partition(":")[0] for pair in mapped)] or None


def options(cluster: Cluster) -> Iterator[Finding]:
    """Cluster properties that the templates set."""
    policy = cluster.options.get("no-quorum-policy", "stop")
    if policy == "ignore" and len(cluster.members) > 2:
        what = "no-quorum-policy=ignore: a partition without quorum goes on serving"
        remedy = "crm_attribute --type crm_config --name no-quorum-policy --update stop"
        yield Finding("error", "cluster", what, remedy)
    if "load-threshold" not in cluster.options and any(one.promotable for one in cluster.resources):
        what = "load-threshold is not set: above 80 % load a node runs one action at a time, just when it fails over"
        remedy = "crm_attribute --type crm_config --name load-threshold --update 400%"
        yield Finding("warning", "cluster", what, remedy)
    if is_true(cluster.options.get("maintenance-mode", "false")):
        what = "maintenance mode: no failure is answered"
        yield Finding("warning", "cluster", what, "crm_attribute --type crm_config --name maintenance-mode --delete")
    yield from leftovers(cluster)


def remotes(cluster: Cluster, resource: Resource) -> Iterator[Finding]:
    """Nodes that are no members, on which the cluster would start what runs on members only."""
    there = [node.name for node in cluster.nodes if node.remote and not cluster.kept_off(resource, node)]
    if there:
        what = f"{', '.join(there)} runs Pacemaker Remote: every start there is refused, since only members are counted"
        expression = '<expression id="{0}-expr" attribute="#kind" operation="ne" value="cluster"/>'
        rule = f'<rule id="{{0}}-rule" score="-INFINITY">{expression}</rule>'
        xml = f'<rsc_location id="{{0}}" rsc="{resource.handle}">{rule}</rsc_location>'
        remedy = f"cibadmin --create --scope constraints --xml-text '{xml.format(f'{resource.id}-on-members')}'"
        yield Finding("error", resource.id, what, remedy)


def room(cluster: Cluster) -> Iterator[Finding]:
    """Addresses that take a node's room (mysql-readers.crm): spread by it, and all of them on the last node that is left."""
    asked: dict[str, dict[str, int]] = {}
    for one in cluster.resources:
        for name, units in one.utilization.items():
            if one.agent.startswith("ocf:backstay:"):
                asked.setdefault(name, {})[one.handle] = units
    if asked and cluster.options.get("placement-strategy", "default") == "default":
        what = f"placement-strategy is not set: utilization ({', '.join(asked)}) counts for nothing, and nothing is spread by it"
        remedy = "crm_attribute --type crm_config --name placement-strategy --update balanced"
        yield Finding("warning", "cluster", what, remedy)
    for name, takers in asked.items():
        need = sum(takers.values())
        short = [node.name for node in cluster.members if node.utilization.get(name, 0) < need]
        if short:
            nowhere = all(node.utilization.get(name, 0) < min(takers.values()) for node in cluster.members)
            then = "they stay stopped" if nowhere else "some stay stopped when the other nodes are lost"
            what = f"{', '.join(short)} without room for {', '.join(takers)} (utilization {name}={need}): {then}"
            command = f"crm_attribute --utilization --node $node --name {name} --update {need}"
            remedy = f"for node in {' '.join(short)}; do {command}; done"
            yield Finding("error" if nowhere else "warning", "cluster", what, remedy)


def timeouts(resource: Resource, advised: Mapping[str, float]) -> Iterator[Finding]:
    """Operations with less time than the agent's meta-data advises. advised: action -> seconds."""
    for action, seconds in advised.items():
        own = [one for one in resource.operations if one.name == action]
        for one in own or [Operation(action)]:
            given = DEFAULT_TIMEOUT if one.timeout is None else one.timeout
            if given < seconds:
                what = f"{action} has a timeout of {given:g} s, and may need {seconds:g} s"
                yield Finding("warning", resource.id, what, operation(resource, one, "timeout", f"{seconds:g}s"))


def operation(resource: Resource, one: Operation, name: str, value: str) -> str:
    """The command that gives an operation another setting."""
    if one.id:
        return f'cibadmin --modify --xml-text \'<op id="{one.id}" {name}="{value}"/>\''
    return (
        f"pcs resource op add {resource.id} {one.name} {name}={value}, or the same in: crm configure edit {resource.id}"
    )


def exposed(resource: Resource, secret: Sequence[str]) -> Iterator[Finding]:
    """Secrets that everybody can read who can read the configuration. secret: names of parameters."""
    for name in secret:
        if resource.parameters.get(name, "lrm://") != "lrm://":
            what = f"{name} stands in the cluster's configuration in clear"
            remedy = f"cibsecret stash {resource.id} {name} (needs ssh between the nodes; else see {DOCUMENTATION}/security.md)"
            yield Finding("warning", resource.id, what, remedy)


def expiry(resource: Resource) -> Iterator[Finding]:
    """failure-timeout: there, and against the operations that must see a failure before it is forgotten."""
    text = resource.meta.get("failure-timeout", "0")
    try:
        seconds = parse_time(text)
    except ValueError:
        return  # PT1M, or what Pacemaker itself refuses
    longest = max((one.timeout or 0.0 for one in resource.operations if one.interval), default=0.0)
    if seconds == 0:
        what = "has no failure-timeout: one failure may keep it from that node until an admin cleans up"
        yield Finding(
            "warning", resource.id, what, set_meta(resource, "failure-timeout", f"{max(30.0, longest * 2):g}s")
        )
    if 0 < seconds <= longest:
        what = f"failure-timeout={text} is not longer than a monitor may take ({longest:g} s): its failure is forgotten at once"
        yield Finding("error", resource.id, what, set_meta(resource, "failure-timeout", f"{longest * 2:g}s"))
