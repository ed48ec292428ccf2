"""What a new node's disk holds beyond the image: names, Corosync, and the cluster's base configuration.

The CIB is put on the disks before Pacemaker first starts: fencing works from the first moment, and `dc-deadtime` is
known when the first election is due (with its default the first DC takes 20 s). Schema and
feature set are old ones on purpose: every Pacemaker raises them, none accepts one newer than itself.
"""

from backstay_lab.machines import network
from backstay_lab.machines.layout import CLIENT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FENCING = "fencing"  # id of the fencing resource
CLUSTER = "backstay"


def seed(node: str, nodes: "Sequence[str]", token: int, fence_action: str) -> "dict[str, str]":
    """Path under / -> text, for a new disk of `node`. `nodes` are the cluster's, in order of their node ids.

    `token` is Corosync's, in milliseconds; `fence_action` is Pacemaker's stonith-action, off or reboot.
    """
    files = {
        "etc/hostname": f"{node}\n",
        "etc/hosts": _hosts([*nodes, CLIENT]),
        "etc/resolv.conf": "# a lab has no name server\n",
        "etc/default/corosync": "",
        "etc/default/pacemaker": "PCMK_logfacility=none\nPCMK_logfile=/var/log/pacemaker/pacemaker.log\n",
    }
    if node != CLIENT:
        files["etc/corosync/corosync.conf"] = corosync({name: network.address(name) for name in nodes}, token)
        files["var/lib/pacemaker/cib/cib.xml"] = _cib(nodes, fence_action)
    return files


def _hosts(names: "Sequence[str]") -> str:
    lines = ["127.0.0.1 localhost", "::1 localhost"]
    lines += [f"{network.address(name)} {name}" for name in names]
    return "\n".join(lines) + "\n"


def _block(name: str, settings: "Mapping[str, object]", inner: str = "") -> str:
    """A section; Corosync wants every brace and key on a line of its own."""
    keys = "".join(f"    {key}: {value}\n" for key, value in settings.items())
    indented = "".join(f"    {line}\n" for line in inner.splitlines())
    return f"{name} {{\n{keys}{indented}}}\n"


def corosync(nodes: "Mapping[str, str]", token: int) -> str:
    """corosync.conf for nodes, name -> address, in order of their node ids. `token` in milliseconds. The timing is what
    crm-templates/mysql.crm recommends (decision 26)."""
    totem = {
        "version": 2,
        "cluster_name": CLUSTER,
        "transport": "knet",
        "crypto_cipher": "none",
        "crypto_hash": "none",
        "token": token,
        "token_coefficient": 0,  # the token time is the whole truth, whatever the number of nodes
        "token_retransmits_before_loss_const": 10,
    }
    # There is one link: nothing is gained by giving it up before the token is lost. The two are a pair.
    link = {"linknumber": 0, "knet_ping_interval": token // 4, "knet_ping_timeout": 3 * token}
    members = "".join(
        _block("node", {"nodeid": number, "name": name, "ring0_addr": address})
        for number, (name, address) in enumerate(nodes.items(), start=1)
    )
    quorum: dict[str, object] = {"provider": "corosync_votequorum"}
    if len(nodes) == 2:
        quorum["two_node"] = 1
    logging = {
        "to_syslog": "no",
        "to_stderr": "no",
        "to_logfile": "yes",
        "logfile": "/var/log/corosync/corosync.log",
        "timestamp": "hires",
    }
    sections = [
        _block("totem", totem, _block("interface", link)),
        _block("nodelist", {}, members),
        _block("quorum", quorum),
    ]
    return "".join([*sections, _block("logging", logging)])


def _cib(nodes: "Sequence[str]", fence_action: str) -> str:
    return f"""<cib crm_feature_set="3.10.0" validate-with="pacemaker-3.7" admin_epoch="0" epoch="1" num_updates="0">
  <configuration>
    {options(fence_action)}
    <nodes/>
    {fencing(nodes)}
    <constraints/>
  </configuration>
  <status/>
</cib>
"""


def options(fence_action: str) -> str:
    """The CIB's section crm_config."""
    values = {
        "cluster-name": CLUSTER,
        "dc-deadtime": "2s",
        "no-quorum-policy": "stop",
        "stonith-enabled": "true",
        "stonith-action": fence_action,
    }
    return f"""<crm_config>
      <cluster_property_set id="cib-bootstrap-options">{_nvpairs("option", values)}
      </cluster_property_set>
    </crm_config>"""


def fencing(nodes: "Sequence[str]") -> str:
    """The CIB's section resources, with the fence device for these nodes."""
    device = {"pcmk_host_check": "static-list", "pcmk_host_list": " ".join(nodes)}
    if len(nodes) == 2:  # cut from each other both would shoot; whoever targets the first hesitates
        device["pcmk_delay_base"] = f"{nodes[0]}:1s;{nodes[1]}:0s"
    return f"""<resources>
      <primitive id="{FENCING}" class="stonith" type="fence_backstay_lab">
        <instance_attributes id="{FENCING}-params">{_nvpairs(FENCING, device)}
        </instance_attributes>
        <operations>
          <op id="{FENCING}-monitor" name="monitor" interval="60s" timeout="20s"/>
        </operations>
      </primitive>
    </resources>"""


def _nvpairs(prefix: str, values: "Mapping[str, str]") -> str:
    lines = [f'<nvpair id="{prefix}-{name}" name="{name}" value="{value}"/>' for name, value in values.items()]
    return "".join(f"\n          {line}" for line in lines)


if __name__ == "__main__":  # vagrant/provision.sh: corosync.conf for NODE=ADDRESS ...
    import sys

    print(corosync(dict(word.split("=", 1) for word in sys.argv[1:]), token=1000), end="")
