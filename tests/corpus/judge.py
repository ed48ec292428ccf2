"""What the real daemons and the agents say of configurations, one JSON line each. Runs in the chamber, as root:

    python3 judge.py SERVICE < entries.json

entries.json: a list of {"name", "flags", "files": {path: base64}}.
"""

from __future__ import annotations

import base64
import importlib
import io
import json
import os
import shutil
import subprocess
import sys
import traceback
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

from backstay.agent.dispatch import main
from backstay.ocf.errors import AgentError
from backstay.ocf.invocation import Invocation

RUN = "/run/backstay"
_PLACE = {
    "haproxy": "/etc/haproxy",
    "mysql": "/etc/mysql/corpus",
    "rabbitmq": "/etc/rabbitmq",
    "corosync": "/etc/corosync",
    "cib": "/tmp/cib",
}
_SERVERS_OWN = ("[ERROR]", "error:", "ERROR:", "mariadbd:", "mysqld:")


def ask(*argv: str, **environ: str) -> tuple[int, str]:
    """Exit status and all that a program printed."""
    done = subprocess.run(
        argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, timeout=1200, check=False,
        env={**os.environ, "LC_ALL": "C", **environ},
    )  # fmt: skip
    return done.returncode, done.stdout.decode("utf-8", "replace")


def place(service: str, files: dict[str, str]) -> None:
    """The files of one configuration, and no other's."""
    root = _PLACE[service]
    shutil.rmtree(root, ignore_errors=True)
    for name, content in {**files}.items():
        path = os.path.join(root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as sink:
            sink.write(base64.b64decode(content))
    os.makedirs(root, exist_ok=True)


def acted(service: str, action: str, environ: dict[str, str]) -> dict[str, Any]:
    """One action of an agent, in this process: its code, its reasons, and what it printed where there is a traceback."""
    made = importlib.import_module(f"backstay.services.{service}.agent").AGENT
    said = io.StringIO()
    given = {
        "OCF_RESOURCE_INSTANCE": "corpus",
        "HA_LOGFILE": os.devnull,
        "HA_DEBUGLOG": os.devnull,
        "OCF_CHECK_LEVEL": "10",
    }
    with redirect_stderr(said), redirect_stdout(io.StringIO()):
        code = main(made, ["agent", action], {**given, **environ})
    text = said.getvalue()
    reasons = [line.partition(":")[2] for line in text.splitlines() if line.startswith("ocf-exit-reason:")]
    return {
        "code": int(code),
        "reasons": reasons,
        "wreck": text if "Traceback" in text or "internal error" in text else "",
    }


def doctored(service: str, environ: dict[str, str]) -> dict[str, Any]:
    """What doctor says through this service's part: its sentences."""
    made = importlib.import_module(f"backstay.services.{service}.agent").AGENT
    context = made(
        Invocation("validate-all", {"OCF_RESOURCE_INSTANCE": "corpus", "HA_LOGFILE": os.devnull, **environ})
    ).context
    said = io.StringIO()
    try:
        with redirect_stderr(said), redirect_stdout(io.StringIO()):
            found = importlib.import_module(f"backstay.services.{service}.doctor").findings(context)
    except AgentError as error:
        found = [str(error)]
    except Exception:  # noqa: BLE001  what the test is for
        return {"findings": [], "wreck": traceback.format_exc()}
    return {"findings": list(found), "wreck": ""}


def haproxy(entry: dict[str, Any]) -> dict[str, Any]:
    config = "/etc/haproxy" if "directory" in entry["flags"] else "/etc/haproxy/haproxy.cfg"
    status, said = ask("haproxy", "-c", "-f", config)
    alerts = [line for line in said.splitlines() if line.startswith("[ALERT]")]
    environ = {"OCF_RESKEY_config": config}
    return {
        "accepted": status == 0,
        "said": (alerts or said.splitlines() or [f"status {status}"])[0],
        "validate": acted("haproxy", "validate-all", environ),
        "doctor": doctored("haproxy", environ) if status else {"findings": [], "wreck": ""},
        "start": acted("haproxy", "start", environ) if status else None,
    }


def mysql(entry: dict[str, Any]) -> dict[str, Any]:
    config = "/etc/mysql/corpus/set.cnf"
    status, said = ask("mariadbd", f"--defaults-file={config}", "--verbose", "--help")
    errors = [line for line in said.splitlines() if any(sign in line for sign in _SERVERS_OWN) and "[Note]" not in line]
    environ = {
        "OCF_RESKEY_config": config,
        "OCF_RESKEY_monitor_password": "m0n",
        "OCF_RESKEY_replication_password": "r3p",
        "OCF_RESKEY_initialize": "true",
        "OCF_RESKEY_server_id": "1",
        "OCF_RESKEY_CRM_meta_timeout": "60000",
    }
    started = None
    if status:
        os.makedirs("/var/lib/mysql/mysql", exist_ok=True)  # so that it is started, and not first made
        started = acted("mysql", "start", environ)
    return {
        "accepted": status == 0,
        "said": (errors or [f"status {status}"])[0] if status else "",
        "validate": (validated := acted("mysql", "validate-all", environ)),
        "doctor": {"findings": validated["reasons"], "wreck": ""},  # validate-all is doctor's
        "start": started,
    }


def corosync(entry: dict[str, Any]) -> dict[str, Any]:
    from backstay.admin import host, preflight
    from backstay.host.deadline import Deadline

    key = "/etc/corosync/authkey"
    if "no-key" not in entry["flags"]:
        with open(key, "wb") as sink:
            sink.write(b"k" * 128)
        os.chmod(key, 0o400)
    status, said = ask("corosync", "-t")
    lines = [line for line in said.splitlines() if "error" in line.lower()]
    told: dict[str, Any] = {"findings": [], "wreck": ""}
    try:
        seen = host.look("n1", [], [], Deadline(30))
        told["findings"] = [finding.what for finding in preflight.host(seen)]
        told["unresolved"] = list(seen.unresolved)
    except Exception:  # noqa: BLE001  what the test is for
        told["wreck"] = traceback.format_exc()
    return {"accepted": status == 0, "said": (lines or [""])[0] if status else "", "doctor": told}


def cib(entry: dict[str, Any]) -> dict[str, Any]:
    from backstay.admin import doctor

    path = "/tmp/cib/cib.xml"
    status, said = ask("crm_verify", "--xml-file", path, "--verbose")
    lines = [line for line in said.splitlines() if "error" in line.lower()]
    accepted = status == 0 or "Warnings found during check" in said
    os.environ.update(CIB_file=path)
    told: dict[str, Any] = {"findings": [], "wreck": ""}
    try:
        told["findings"] = [finding.what for finding in doctor.examine()[1]]
    except AgentError as error:
        told["findings"] = [str(error)]
    except Exception:  # noqa: BLE001  what the test is for
        told["wreck"] = traceback.format_exc()
    return {"accepted": accepted, "said": "" if accepted else (lines or [f"status {status}"])[0], "doctor": told}


def rabbitmq(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """All in one Erlang machine, which a boot's first step does not end: the admin's settings alone, and with the agent's. What
    the launcher itself reads, rabbitmq-env.conf, it is asked about each time."""
    import pwd

    from backstay.host.deadline import Deadline
    from backstay.ocf.errors import WrongParameter
    from backstay.services.rabbitmq import amqp, doctor, launch, settings
    from backstay.services.rabbitmq.boot_errors import complaint
    from backstay.services.rabbitmq.dialects import dialect_for

    server = launch.find_server("")
    dialect = dialect_for(launch.version(server))
    root, owner = "/tmp/rabbitmq", pwd.getpwnam("rabbitmq")
    os.makedirs("/var/lib/rabbitmq/mnesia", exist_ok=True)

    def layout(config: str, own: str) -> launch.Layout:
        return launch.Layout(
            server, "rabbit@n1", config, "/var/lib/rabbitmq/mnesia", "/var/log/rabbitmq", "rabbitmq",
            "/var/lib/rabbitmq/.erlang.cookie", amqp.Listener(5672), own,
        )  # fmt: skip

    def plugins(flags: dict[str, str]) -> str:
        return f"[{flags.get('plugins', 'rabbitmq_management,rabbitmq_prometheus')}]."

    tried: list[str] = []
    for number, entry in enumerate(entries):
        _PLACE["rabbitmq"] = f"{root}/{number}/etc"
        place("rabbitmq", entry["files"])
        at = layout(f"{root}/{number}/etc/rabbitmq.conf", f"{root}/{number}/etc/own.d")
        with open(f"{root}/{number}/etc/enabled_plugins", "w", encoding="utf-8") as sink:
            sink.write(plugins(entry["flags"]))
        theirs = launch.admin_settings(at)
        launch.write_settings(
            at, settings.fragment(dialect, 3, 60, 60, "rabbit@n1", ["rabbit@n2"], "", "quorum", theirs)
        )
        tried.append(f"{root}/{number}/etc conf.d/*.conf")
    for path, directories, names in os.walk(root):
        for name in [path, *(os.path.join(path, one) for one in directories + names)]:
            os.chown(name, owner.pw_uid, owner.pw_gid, follow_symlinks=False)
    told = _in_one_machine(server, tried, launch.SPEAK, launch.SETTINGS)
    again = [line.replace(" conf.d/*.conf", " own.d") for line in tried if not told[line][0]]
    told |= _in_one_machine(server, again, launch.SPEAK, launch.SETTINGS)
    _PLACE["rabbitmq"] = "/etc/rabbitmq"
    found = []
    for number, entry in enumerate(entries):
        refused, said = told[f"{root}/{number}/etc conf.d/*.conf"]
        refused_with_ours, said_with_ours = told.get(f"{root}/{number}/etc own.d", (False, ""))
        config = f"{root}/{number}/etc/rabbitmq.conf"
        if "rabbitmq-env.conf" in entry["files"]:
            place(
                "rabbitmq",
                {**entry["files"], "enabled_plugins": base64.b64encode(plugins(entry["flags"]).encode()).decode()},
            )
            refused, said, config = False, "", "/etc/rabbitmq/rabbitmq.conf"
            try:
                launch.check_settings(layout(config, "/run/own.d"), Deadline(60))
            except WrongParameter as error:
                refused, said = True, str(error).partition("is not accepted: ")[2]
        part: dict[str, Any] = {"findings": [], "wreck": ""}
        try:
            part["findings"] = list(doctor._settings(layout(config, "/run/own.d")))
        except Exception:  # noqa: BLE001  what the test is for
            part["wreck"] = traceback.format_exc()
        if refused:
            part["findings"].append(f"{config} is not accepted: {complaint(said).text}")
        part["findings"] = [text.replace(f"{root}/{number}/etc", "/etc/rabbitmq") for text in part["findings"]]
        found.append(
            {
                "name": entry["name"],
                "accepted": not refused,
                "said": complaint(said).text.replace(f"{root}/{number}/etc", "/etc/rabbitmq") if refused else "",
                "ours": "" if refused or not refused_with_ours else complaint(said_with_ours).text,
                "doctor": part,
            }
        )
    return found


def _in_one_machine(server: str, tried: list[str], speak: str, check: str) -> dict[str, tuple[bool, str]]:
    """tried: "DIRECTORY CONF.D". For each whether it was refused, and what was printed."""
    with open("/tmp/tried", "w", encoding="utf-8") as sink:
        sink.write("\n".join(tried))
    program = f"""
        {speak},
        {{ok, Text}} = file:read_file("/tmp/tried"),
        [begin
            [Place, Additional] = string:lexemes(Line, " "),
            os:putenv("RABBITMQ_CONFIG_FILE", Place ++ "/rabbitmq.conf"),
            os:putenv("RABBITMQ_CONFIG_FILES", Place ++ "/" ++ Additional),
            os:putenv("RABBITMQ_ENABLED_PLUGINS_FILE", Place ++ "/enabled_plugins"),
            Advanced = Place ++ "/advanced.config",
            case filelib:is_file(Advanced) of
                true -> os:putenv("RABBITMQ_ADVANCED_CONFIG_FILE", Advanced);
                false -> os:unsetenv("RABBITMQ_ADVANCED_CONFIG_FILE")
            end,
            io:format("~n##begin ~s~n", [Line]),
            Status = {check},
            logger_std_h:filesync(default),
            io:format("~n##end ~p~n", [Status])
        end || Line <- string:lexemes(binary_to_list(Text), "\n")],
        halt(0).
    """
    status, printed = ask(
        "env", "-C", "/", "runuser", "-u", "rabbitmq", "--", server, "-noinput", "-eval", program,
        RABBITMQ_NODE_ONLY="1", RABBITMQ_ALLOW_INPUT="1", RABBITMQ_NODENAME="rabbit@n1", HOME="/var/lib/rabbitmq",
    )  # fmt: skip
    assert status == 0, printed
    told = {}
    for piece in printed.split("##begin ")[1:]:
        line, _, rest = piece.partition("\n")
        said, _, end = rest.partition("##end ")
        told[line.strip()] = (end.strip().startswith("1"), said)
    assert len(told) == len(tried), printed
    return told


def judge(service: str, entries: list[dict[str, Any]]) -> None:
    if service == "rabbitmq":
        for found in rabbitmq(entries):
            sys.stdout.write(json.dumps(found) + "\n")
        return
    of = {"haproxy": haproxy, "mysql": mysql, "corosync": corosync, "cib": cib}[service]
    for entry in entries:
        place(service, entry["files"])
        found = {"name": entry["name"], **of(entry)}
        sys.stdout.write(json.dumps(found) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    os.makedirs(RUN, exist_ok=True)
    judge(sys.argv[1], json.load(sys.stdin))
