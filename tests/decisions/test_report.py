"""A page of results: what is read, what is counted, and that the page holds it and loads nothing."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from lxml import etree

from backstay.ocf.errors import AgentError
from backstay_lab.checkers.operations import Operations
from backstay_lab.report import summary
from backstay_lab.report.cli import report
from backstay_lab.report.results import Results, Run, add, gather

BASE = {
    "contender": "ocf:backstay:mysql",
    "service": "mysql",
    "fault": "kill",
    "gap": 0.5,
    "phases": {"detected": 0.1, "promoted": 0.3, "first write": 0.5, "whole": 9.0},
    "lost": 0,
    "acknowledged": 300,
    "whole": True,
    "error": "",
    "patience": 120.0,
}
HUNG = {"gap": None, "phases": {}, "lost": None, "acknowledged": None, "whole": False, "error": "timed out"}
PEER = {"contender": "ocf:heartbeat:mysql"}
FAILED = Operations(300, 74, 1.07, {"2003 ConnectionRefusedError": 70, "2013": 4})
CONTENDER = {"name": "ocf:heartbeat:mysql", "service": "mysql", "what": "as it comes", "notes": []}


def run(**difference: object) -> Run:
    return Run(**{**BASE, **difference})  # type: ignore[arg-type]


def read(name: str, text: str) -> Results:
    found = Results([], [], [], [], [], [])
    add(found, name, text)
    return found


def lines(*records: dict[str, object]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


# -- reading ----------------------------------------------------------------------------------------------------------


def test_a_rehearsal_is_read_with_what_was_lost_and_what_broke_off() -> None:
    good = {"fault": "kill", "clean": True, "gap": 0.5, "phases": {"first write": 0.5}, "error": ""}
    runs = [
        {**good, "verdict": {"acknowledged": 9, "lost": []}},
        {**good, "clean": False, "verdict": {"confirmed": 9, "lost": [4, 5]}},
        {"fault": "kill", "clean": False, "gap": None, "error": "timed out waiting for writes"},
    ]
    found = read("kill.json", json.dumps({"service": "mysql", "client": "four writers", "image": "sid", "runs": runs}))
    assert [(one.lost, one.acknowledged, one.error) for one in found.runs] == [
        (0, 9, ""),
        (2, 9, "not clean"),
        (None, None, "timed out waiting for writes"),
    ]
    assert {one.contender for one in found.runs} == {"ocf:backstay:mysql"}
    assert found.about[0].facts == {"client": "four writers", "image": "sid"}


def test_of_a_campaign_the_faults_that_came_alone_are_read() -> None:
    gaps = [["kill leader", 0.5], ["hang leader + kill follower", 9.0]]
    hits = [{"injection": {"overlaps": overlaps}, "missed": ""} for overlaps in (False, False, True)]
    clean = {"clean": True, "findings": [], "hits": hits, "gaps": gaps}
    lost = {"clean": False, "findings": [{"rule": "lost", "about": "row 1"}], "gaps": [["kill leader", float("inf")]]}
    lost["hits"] = hits[:1]
    whole = {"service": "mysql", "image": "bookworm", "schedules": [clean, lost, {"clean": False, "error": "no lab"}]}
    found = Results([], [], [], [], [], [])
    add(found, "campaign-mysql.json", json.dumps(whole))
    assert [(run.fault, run.gap, run.lost, run.error) for run in found.runs] == [
        ("kill leader (campaign)", 0.5, 0, ""),
        ("kill leader (campaign)", None, 1, "lost"),
    ]
    assert found.about[0].facts == {"image": "bookworm", "schedules": "3", "not clean": "2"}


def test_a_bench_that_was_cut_short_is_read_up_to_there_and_added_to() -> None:
    contender = {"kind": "contender", **CONTENDER}
    text = lines(contender, {"kind": "run", **BASE, "round": 1}, contender, {"kind": "run", **BASE, **PEER, **HUNG})
    found = read("bench.jsonl", text)
    assert len(found.contenders) == 1
    assert [one.gap for one in found.runs] == [0.5, None]


def test_json_of_something_else_is_passed_over_and_half_a_file_is_not(tmp_path: Path) -> None:
    (tmp_path / "package.json").write_text('{"name": "x"}')
    (tmp_path / "list.json").write_text("[1]")
    with pytest.raises(AgentError, match="no results"):
        gather(str(tmp_path))
    (tmp_path / "cut.json").write_text('{"runs": [')
    with pytest.raises(AgentError, match=r"cut\.json is not a whole file"):
        gather(str(tmp_path))


def test_failed_operations_are_read_from_rehearsals_campaigns_and_benches_and_added_up() -> None:
    counted = {"database": {"done": 90, "failed": 10, "longest": 0.5, "errors": {"2003": 9, "2013": 1}}}
    both = {**counted, "messages": {"done": 9, "failed": 1, "longest": 8.0, "errors": {"MessagingTimeout": 1}}}
    done = {"fault": "kill", "clean": True, "gap": 0.5, "phases": {}, "error": "", "operations": both}
    [rehearsed] = read("kill.json", json.dumps({"service": "openstack", "runs": [done]})).runs
    assert rehearsed.operations == Operations(99, 11, 8.0, {"2003": 9, "2013": 1, "MessagingTimeout": 1})
    [benched] = read("bench.jsonl", lines({"kind": "run", **BASE, "operations": counted})).runs
    assert benched.operations == Operations(90, 10, 0.5, {"2003": 9, "2013": 1})
    hits, gaps = [{"injection": {"overlaps": False}, "missed": ""}], [["kill leader", 0.5]]
    schedule = {"clean": True, "findings": [], "hits": hits, "gaps": gaps, "operations": [counted]}
    [inflicted] = read("campaign.json", json.dumps({"service": "mysql", "schedules": [schedule]})).runs
    assert inflicted.operations == benched.operations
    [earlier] = read("bench.jsonl", lines({"kind": "run", **BASE})).runs
    assert earlier.operations is None


# -- counting ---------------------------------------------------------------------------------------------------------


def test_a_cell_counts_runs_that_did_not_end_as_infinite() -> None:
    cell = summary.cell([run(gap=1.0), run(gap=3.0, lost=2), run(**HUNG), run(gap=2.0, error="n2 differs")])
    assert cell == summary.Cell(
        runs=4, median=2.5, worst=math.inf, lost=2, acknowledged=900, whole=9.0, unended=1, astray=1, broken=0
    )
    assert summary.cell([run(gap=1.0), run(**HUNG)]).median == math.inf
    assert summary.cell([run(**HUNG)]).median == math.inf


def test_a_cell_has_an_applications_failed_operations_of_runs_that_did_not_end_too() -> None:
    few, many = Operations(300, 74, 1.07, {"2003": 70, "2013": 4}), Operations(100, 198, 60.0, {"2003": 198})
    cell = summary.cell([run(operations=few), run(**HUNG, operations=many), run()])
    assert (cell.failed, cell.most_failed, cell.longest, cell.errors) == (136, 198, 60.0, {"2003": 268, "2013": 4})
    assert math.isnan(summary.cell([run()]).failed)


def test_a_run_that_broke_off_before_the_fault_counts_for_nothing() -> None:
    broken = {**HUNG, "inflicted": False}
    cell = summary.cell([run(gap=1.0), run(**broken)])
    assert (cell.runs, cell.median, cell.worst, cell.broken) == (1, 1.0, 1.0, 1)
    assert math.isnan(summary.cell([run(**broken)]).median)


def test_stretches_are_named_after_what_ends_them_and_end_with_the_first_write() -> None:
    phases = {"promoted": 3.0, "detected": 2.0, "fenced": 2.5, "whole": 20.0, "first write": 3.5, "address": 9.0}
    told = [(one.name, one.begin, one.end) for one in summary.stretches(run(phases=phases))]
    assert told == [("detect", 0.0, 2.0), ("fence", 2.0, 2.5), ("promote", 2.5, 3.0), ("client", 3.0, 3.5)]
    assert summary.stretches(run(**HUNG)) == []


def test_faults_come_in_the_usual_order_and_unknown_ones_last() -> None:
    runs = [run(fault=name) for name in ("move", "relay-log", "kill")]
    assert summary.faults(runs) == ["kill", "move", "relay-log"]


def test_the_load_of_the_machine_is_told_for_each_contender() -> None:
    runs = [run(load=4.0), run(load=9.0), run(load=5.0), run(**PEER, load=12.0), run(contender="of a rehearsal")]
    assert summary.loads(runs) == {"ocf:backstay:mysql": 5.0, "ocf:heartbeat:mysql": 12.0}


def test_the_floor_is_that_of_a_lone_address_in_the_same_results() -> None:
    lone = [run(contender="ocf:backstay:vip", fault="power-off", gap=gap) for gap in (3.0, 4.0, 9.0)]
    assert summary.floors([run(), *lone], "mysql") == {"power-off": 4.0}
    assert summary.floors([run(), *lone], "address") == {}
    assert summary.floors([run(fault="vip-floor", gap=3.5)], "mysql") == {"power-off": 3.5}
    assert summary.floors([run()], "mysql") == {}


def test_the_floor_of_the_stack_is_shown_beside_each_service_but_an_address() -> None:
    phases = {"detected": 0.1, "address": 0.3}
    lowest = run(contender="floor", service="floor", phases=phases, gap=0.3)
    own = run(phases={**BASE["phases"], "address": 0.5})  # type: ignore[dict-item]
    lone = run(contender="ocf:backstay:vip", service="address")
    runs = [lowest, own, lone]
    assert summary.services(runs) == ["mysql", "address"]
    assert summary.services([lowest]) == ["floor"]
    assert summary.beside(runs, "mysql") == [own, lowest]
    assert summary.beside([run(fault="hang"), lowest], "mysql") == [run(fault="hang")]
    assert summary.floors(runs, "mysql") == {"kill": 0.3}
    assert summary.floors(runs, "address") == {}
    cells = summary.cells(summary.beside(runs, "mysql"))
    compared = cells["kill", "ocf:backstay:mysql"].compared
    assert compared is not None and compared.ratio == pytest.approx(2.0)
    assert cells["kill", "floor"].compared is None


# -- the page ---------------------------------------------------------------------------------------------------------


def page(tmp_path: Path) -> str:
    result = CliRunner().invoke(report, [str(tmp_path), "--title", "Ours <and> theirs"])
    assert result.exit_code == 0, result.output
    return (tmp_path / "report.html").read_text()


def test_the_page_holds_every_chart_and_loads_nothing(tmp_path: Path) -> None:
    ours = "ocf:backstay:mysql"
    cpu = {"agents": 0.2, "watchers": 0.1}
    records = [
        {"kind": "about", "when": "2026-11-25"},
        {"kind": "contender", **CONTENDER, "notes": ["no <b>mysqld_safe</b>"]},
        *({"kind": "run", **BASE, "gap": gap} for gap in (0.4, 0.5, 0.9)),
        {"kind": "run", **BASE, **PEER, "gap": 12.0, "lost": 3, "operations": {"database": FAILED._asdict()}},
        {"kind": "run", **BASE, **PEER, **HUNG, "fault": "hang"},
        {"kind": "monitor", "agent": ours, "what": "", "cpu": 11.0, "wall": 12.0, "programs": 1, "memory": 20.0},
        {"kind": "node", "contender": ours, "service": "mysql", "what": "", "cpu": cpu, "memory": 9.0},
        {"kind": "growth", "chart": "Scheduling", "x": "n", "y": "s", "contender": ours, "points": [[2, 0.1], [32, 1]]},
    ]
    (tmp_path / "bench.jsonl").write_text(lines(*records))
    text = page(tmp_path)
    tree = etree.HTML(text)
    assert len(tree.findall(".//figure/svg")) == 5  # gaps, one timeline, monitors, nodes, growth
    assert "not within 120 s" in text
    assert "no &lt;b&gt;mysqld_safe&lt;/b&gt;" in text
    assert "Ours &lt;and&gt; theirs" in text
    cells = ["".join(cell.itertext()) for cell in tree.findall(".//table//td")]
    assert "0.50" in cells and "12.00" in cells and "not in time" in cells
    assert "74 / 74" in cells and "1.07" in cells and "2003 ConnectionRefusedError: 70, 2013: 4" in cells
    # Nothing is fetched: every reference is to the page itself, every address the name of a namespace.
    for value in re.findall(r'(?:href|src)="([^"]*)"', text):
        assert value.startswith("#"), value
    assert re.findall(r"url\((?!#)", text) == []
    assert "<script" not in text


def test_ids_of_the_charts_do_not_collide(tmp_path: Path) -> None:
    """A clip path of one chart would cut another."""
    (tmp_path / "bench.jsonl").write_text(
        lines(
            *({"kind": "run", **BASE, "fault": fault, "gap": gap} for fault in ("kill", "move") for gap in (1.0, 2.0))
        )
    )
    text = page(tmp_path)
    clips = re.findall(r'<clippath id="([^"]+)"', text, re.IGNORECASE)
    assert len(clips) == len(set(clips)) > 1


def test_a_rehearsal_alone_makes_a_page(tmp_path: Path) -> None:
    run = {
        "fault": "power-off",
        "clean": True,
        "gap": 3.0,
        "phases": {"detected": 2.0, "first write": 3.0},
        "error": "",
    }
    floor = {"fault": "vip-floor", "clean": True, "gap": 3.2, "error": "", "coordinator": True}
    verdict = {"verdict": {"acknowledged": 300, "lost": []}}
    nothing = {"fault": "kill", "clean": True, "gap": 0.3, "phases": {"detected": 0.1, "address": 0.3}, "error": ""}
    killed = {**run, "fault": "kill", "phases": {"detected": 0.1, "address": 0.7}}
    (tmp_path / "mine.json").write_text(
        json.dumps(
            {
                "service": "mysql",
                "client": "four writers",
                "image": "bookworm",
                "runs": [{**run, **verdict}, {**killed, **verdict}, floor],
                "floor": [nothing],
            }
        )
    )
    text = page(tmp_path)
    assert "power-off of the node of a lone address" in text
    assert "The client: four writers." in text
    cells = ["".join(cell.itertext()) for cell in etree.HTML(text).findall(".//table//td")]
    assert "detected to address 0.60 s" in cells and "3.0" in cells and "floor" in cells
