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
        argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, timeout=120, check=False,
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


def judge(service: str, entries: list[dict[str, Any]]) -> None:
    of = {"haproxy": haproxy, "mysql": mysql, "corosync": corosync, "cib": cib}[service]
    for entry in entries:
        place(service, entry["files"])
        found = {"name": entry["name"], **of(entry)}
        sys.stdout.write(json.dumps(found) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    os.makedirs(RUN, exist_ok=True)
    judge(sys.argv[1], json.load(sys.stdin))
