"""The lab itself, for real: power, fencing, partitions, and that nothing is left behind."""

import os
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest

from backstay.host.deadline import Deadline, poll
from backstay.ocf.errors import CommandFailed
from backstay_lab.machines.cluster import Lab, Topology
from backstay_lab.machines.layout import LabError, Layout, started

BACKSTAY = str(Path(__file__).resolve().parents[2] / "bin" / "backstay")
NAMESPACES = ("mnt", "pid", "net", "ipc", "uts")
FENCED_WITHIN = 60  # seconds: token, consensus, election and the fence agent take about 4


def cli(lab: Lab, *arguments: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
    verb, *rest = arguments
    argv = [BACKSTAY, "lab", verb, "--dir", lab.layout.directory, *rest]
    return subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=60, check=False)


def reaches(lab: Lab, node: str, address: str) -> bool:
    return lab.run(node, ["ping", "-c", "1", "-W", "1", address], check=False).status == 0


def fenced(lab: Lab, node: str, since: float) -> bool:
    """Whether the cluster has fenced the node after the time `since` (seconds, wall clock)."""
    history = lab.cluster_status()
    if history is None:
        return False

    def moment(text: str) -> float:
        return datetime.strptime(text.strip()[:19], "%Y-%m-%d %H:%M:%S").timestamp()

    events = history.iterfind("fence_history/fence_event")
    return any(
        event.get("target") == node and event.get("status") == "success" and moment(event.get("completed")) >= since - 1
        for event in events
    )


def host_interfaces() -> "set[str]":
    return set(os.listdir("/sys/class/net"))


def namespaces_of(supervisor: int) -> "set[str]":
    """Every namespace that a process of the lab lives in, but those it shares with us."""
    inside = set()
    ours = {os.readlink(f"/proc/self/ns/{kind}") for kind in NAMESPACES}
    children: dict[int, list[int]] = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            stat = Path(f"/proc/{entry}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        children.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(entry))
    todo = [supervisor]
    while todo:
        pid = todo.pop()
        todo += children.get(pid, [])
        try:
            inside |= {os.readlink(f"/proc/{pid}/ns/{kind}") for kind in NAMESPACES}
        except (FileNotFoundError, ProcessLookupError):
            continue
    return inside - ours


def inhabited(namespaces: "set[str]") -> "set[str]":
    """Which of these namespaces a process still lives in."""
    found = set()
    for entry in filter(str.isdigit, os.listdir("/proc")):
        for kind in NAMESPACES:
            try:
                found.add(os.readlink(f"/proc/{entry}/ns/{kind}"))
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue
    return found & namespaces


def assert_nothing_left(directory: str, namespaces: "set[str]", interfaces: "set[str]") -> None:
    assert namespaces, "the lab had namespaces of its own"
    poll(lambda: not inhabited(namespaces), Deadline(60), "the lab's processes to end")
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            argv = Path(f"/proc/{entry}/cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        assert directory.encode() not in argv or int(entry) == os.getpid()
    assert directory not in Path("/proc/self/mountinfo").read_text()
    assert host_interfaces() == interfaces


def test_all_nodes_are_online_and_fencing_is_armed(whole: Lab) -> None:
    status = whole.status()
    assert {name for name, node in status["nodes"].items() if node["online"]} == {"n1", "n2", "n3"}
    assert status["nodes"]["client"] == {"address": "10.77.0.10", "power": "on", "plugged": True, "online": False}
    assert any(roles.get("fencing") == "Started" for roles in status["roles"].values())
    assert status["dir"] == whole.layout.directory


def test_a_node_that_is_off_and_on_at_once_is_waited_for(whole: Lab) -> None:
    whole.power_off("n3")
    whole.power_on("n3")
    whole.wait_online(whole.nodes, timeout=60)
    assert whole.online() == {"n1", "n2", "n3"}
    assert whole.run("n3", ["crm_mon", "-1"]).status == 0


def test_run_is_the_command(lab: Lab) -> None:
    done = cli(lab, "run", "client", "--", "sh", "-c", "cat; echo oops >&2; exit 7", stdin="one\ntwo\n")
    assert (done.returncode, done.stdout, done.stderr) == (7, "one\ntwo\n", "oops\n")
    assert cli(lab, "run", "n2", "--", "hostname").stdout == "n2\n"


def test_run_of_no_such_node_says_so(lab: Lab) -> None:
    done = cli(lab, "run", "n9", "--", "true")
    assert done.returncode == 125
    assert "no node n9" in done.stderr


def test_run_starts_fast(lab: Lab) -> None:
    """In the time of a few interpreters: it is called hundreds of times."""

    def seconds(argv: "list[str]") -> float:
        began = time.monotonic()
        subprocess.run(argv, check=True)
        return time.monotonic() - began

    run = [BACKSTAY, "lab", "run", "--dir", lab.layout.directory, "n1", "--", "true"]
    both = [(seconds(run), seconds([sys.executable, "-I", "-c", ""])) for _ in range(10)]
    assert min(ours for ours, _ in both) < 5 * min(bare for _, bare in both)


def test_a_killed_run_takes_its_command_along(lab: Lab) -> None:
    caller = subprocess.Popen([BACKSTAY, "lab", "run", "--dir", lab.layout.directory, "n1", "--", "sleep", "4711"])

    def sleeper() -> bool:
        return lab.run("n1", ["pgrep", "-f", "^sleep 4711"], check=False).status == 0

    poll(sleeper, Deadline(30), "the command to start")
    caller.kill()
    caller.wait()
    poll(lambda: not sleeper(), Deadline(30), "the command to end")


def test_a_node_cannot_reach_the_hosts_clock_or_kernel(lab: Lab) -> None:
    sys_time, sys_module = 1 << 25, 1 << 16
    for pid in ("self", "1"):
        status = lab.run("n1", ["grep", "CapEff", f"/proc/{pid}/status"]).out
        assert int(status.split()[1], 16) & (sys_time | sys_module) == 0
    with pytest.raises(CommandFailed):
        lab.run("n1", ["sh", "-c", "echo 4711 > /proc/sys/kernel/pid_max"])


def test_the_code_is_there_compiled_and_read_only(lab: Lab) -> None:
    lab.run("n1", ["python3", "-c", "import backstay.host.command; assert backstay.host.command.__cached__"])
    lab.run("n1", ["sh", "-c", "ls /usr/lib/ocf/lib/backstay/host/__pycache__/command.*.pyc"])
    lab.run("n1", ["test", "-d", "/usr/lib/ocf/resource.d/backstay"])
    with pytest.raises(CommandFailed):
        lab.run("n1", ["touch", "/usr/lib/ocf/lib/backstay/x"])


def test_one_node_alone_is_upgraded_under_the_hands_of_what_runs_there(lab: Lab) -> None:
    where = ["readlink", "-f", "/usr/lib/ocf/lib/backstay"]
    before = {node: lab.run(node, where).out for node in lab.nodes}
    lab.upgrade("n2")
    after = {node: lab.run(node, where).out for node in lab.nodes}
    assert [node for node in lab.nodes if after[node] != before[node]] == ["n2"]
    lab.run("n2", ["ls", before["n2"].strip() + "/host/command.py"])
    lab.run("n2", ["sh", "-c", "ls /usr/lib/ocf/lib/backstay/host/__pycache__/command.*.pyc"])
    told = lab.run("n2", ["/usr/lib/ocf/resource.d/backstay/vip", "meta-data"]).out
    assert '<resource-agent name="vip"' in told


def test_two_labs_do_not_see_each_other(lab: Lab, tmp_path: Path) -> None:
    other = Lab.up(str(tmp_path), nodes=1)
    try:
        assert reaches(lab, "client", "10.77.0.13")
        assert not reaches(other, "client", "10.77.0.13")
        lab.put("n1", "/etc/only-here", "x")
        assert other.run("n1", ["cat", "/etc/only-here"], check=False).status != 0
        with pytest.raises(LabError, match="a lab is up"):
            Lab.up(str(tmp_path), nodes=1)
    finally:
        other.down()


def test_a_pulled_cord_stays_pulled_though_the_cluster_fences(whole: Lab) -> None:
    whole.put("n2", "/var/lib/kept", "still here")
    whole.run("n2", ["sync"])
    since = time.time()
    whole.power_off("n2")
    assert whole.layout.init_of("n2") is None
    poll(lambda: fenced(whole, "n2", since), Deadline(FENCED_WITHIN), "n2 to be fenced", interval=0.3)
    assert cli(whole, "run", "n2", "--", "true").returncode == 125
    time.sleep(1.5)  # longer than boot_delay: nothing may turn it on now
    assert whole.status()["nodes"]["n2"]["power"] == "off"
    whole.power_on("n2")
    whole.wait_online(["n1", "n2", "n3"], timeout=60)
    assert whole.run("n2", ["cat", "/var/lib/kept"]).out == "still here"


def test_a_fenced_node_comes_back_by_itself(whole: Lab) -> None:
    before = whole.layout.init_of("n3")
    assert whole.fault("hang", "n3", "corosync") == 1
    poll(lambda: whole.layout.init_of("n3") != before, Deadline(FENCED_WITHIN), "n3 to be fenced", interval=0.1)
    whole.wait_online(["n1", "n2", "n3"], timeout=60)


def test_an_isolated_node_is_fenced_and_rejoins_once_healed(whole: Lab) -> None:
    before = whole.layout.init_of("n1")
    whole.isolate("n1")
    whole.isolate("n1")  # again is no error
    poll(lambda: whole.layout.init_of("n1") != before, Deadline(FENCED_WITHIN), "n1 to be fenced", interval=0.1)
    assert not reaches(whole, "n2", "10.77.0.11")
    whole.heal()
    whole.wait_online(["n1", "n2", "n3"], timeout=60)
    assert whole.status()["cuts"] == []


def test_a_cut_holds_for_floating_addresses(whole: Lab) -> None:
    whole.run("n2", ["ip", "address", "add", "10.77.0.200/24", "dev", "eth0"])
    assert reaches(whole, "client", "10.77.0.200")
    whole.cut("client", "n2")
    assert not reaches(whole, "client", "10.77.0.200")
    assert not reaches(whole, "client", "fd77::12")
    assert reaches(whole, "n1", "10.77.0.200")
    whole.heal()
    assert reaches(whole, "client", "10.77.0.200")
    whole.run("n2", ["ip", "address", "delete", "10.77.0.200/24", "dev", "eth0"])


def test_a_killed_daemon_is_respawned(whole: Lab) -> None:
    def attrd() -> str:
        return whole.run("n2", ["pgrep", "-f", "^/usr/lib/pacemaker/pacemaker-attrd"], check=False).out

    before = attrd()
    assert cli(whole, "fault", "kill", "n2", "pacemaker-attrd").returncode == 0
    poll(lambda: attrd() not in ("", before), Deadline(60), "pacemaker-attrd to be respawned")
    with pytest.raises(LabError, match="does not run"):
        whole.fault("kill", "n2", "haproxy")


def test_reboot_in_a_node_reboots_it(whole: Lab) -> None:
    before = whole.layout.init_of("client")
    whole.run("client", ["python3", "-c", "import ctypes; ctypes.CDLL(None).reboot(0x01234567)"], check=False)
    poll(lambda: whole.layout.init_of("client") not in (None, before), Deadline(60), "client to be back")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["SIGKILL", "Ctrl-C"])
def test_ending_up_in_the_middle_leaves_nothing(tmp_path: Path, number: int) -> None:
    interfaces = host_interfaces()
    layout = Layout(str(tmp_path / "lab"))
    up = subprocess.Popen(
        [BACKSTAY, "lab", "up", "--dir", layout.directory],
        stdout=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it
    )
    poll(
        lambda: os.path.isdir(layout.node("n2")) and layout.init_of("n2"),
        Deadline(60),
        "n2 to be on",
        interval=0.01,
    )
    supervisor = layout.supervisor
    assert supervisor is not None
    namespaces = namespaces_of(supervisor)
    up.send_signal(number)
    up.wait()
    assert_nothing_left(layout.directory, namespaces, interfaces)


def test_up_over_a_dead_lab_and_down(tmp_path: Path) -> None:
    interfaces = host_interfaces()
    directory = str(tmp_path / "lab")
    first = Lab.up(directory, nodes=1)
    first.put("n1", "/etc/leftover", "x")
    supervisor = first.layout.supervisor
    assert supervisor is not None
    os.kill(supervisor, signal.SIGKILL)
    poll(lambda: started(supervisor) is None, Deadline(30), "the supervisor to die")
    with pytest.raises(LabError, match="no lab is up"):
        Lab.attach(directory)
    second = Lab.up(directory, nodes=1)
    assert second.run("n1", ["test", "-e", "/etc/leftover"], check=False).status != 0
    assert second.layout.supervisor is not None
    namespaces = namespaces_of(second.layout.supervisor)
    second.down()
    assert_nothing_left(directory, namespaces, interfaces)
    assert not os.path.exists(directory)
    second.down()  # again is no error


def test_missing_image_recipe_is_one_sentence(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, BACKSTAY, "lab", "up", "--dir", str(tmp_path), "--image", "potato"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert done.stderr.startswith("backstay: no recipe for the image potato")


def test_a_directory_that_holds_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "nodes").mkdir()
    (tmp_path / "nodes" / "thesis").write_text("precious")
    with pytest.raises(LabError, match="a directory of its own"):
        Lab.up(str(tmp_path), nodes=1)
    Lab(str(tmp_path)).down()
    assert [entry.name for entry in tmp_path.iterdir()] == ["nodes"]
    assert (tmp_path / "nodes" / "thesis").read_text() == "precious"


def test_a_topology_that_fails_leaves_nothing_unless_kept(tmp_path: Path) -> None:
    def fails(lab: Lab) -> None:
        raise LabError("the topology does not serve")

    topology = Topology("fails", fails)
    directory = str(tmp_path / "lab")
    with pytest.raises(LabError, match="does not serve"):
        Lab.up(directory, nodes=1, topology=topology)
    assert not os.path.exists(directory)
    with pytest.raises(LabError, match="does not serve"):
        Lab.up(directory, nodes=1, topology=topology, keep=True)
    kept = Lab.attach(directory)
    assert kept.run("n1", ["hostname"]).out == "n1\n"
    kept.down()
