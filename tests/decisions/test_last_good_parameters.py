"""A value that does not fit ends nothing that runs: only a start refuses it."""

from __future__ import annotations

from pathlib import Path

import pytest

from backstay.agent.context import Context
from backstay.agent.dispatch import Agent, main
from backstay.ocf.codes import ExitCode
from backstay.ocf.errors import Misconfigured
from backstay.ocf.parameters import Parameters, Seconds, Text, action

SEEN: list[tuple[str, float, str]] = []


class ToyParameters(Parameters):
    name = "toy"
    max_lag = Seconds("Lag", "Seconds.", default="5s", reloadable=True)
    password = Text("Password", "Secret.", required=True, secret=True)

    def check(self) -> None:
        super().check()
        if self.password == "max_lag" and self.max_lag > 10:
            raise Misconfigured("parameter max_lag does not go with this password: make it smaller")


class ToyContext(Context):
    parameters_class = ToyParameters
    parameters: ToyParameters


class Toy(Agent):
    context_class = ToyContext
    context: ToyContext

    def _see(self) -> None:
        given = self.context.parameters
        SEEN.append((self.context.invocation.action, given.max_lag, given.password))

    @action(timeout=10)
    def start(self) -> None:
        self._see()

    @action(timeout=10)
    def promote(self) -> None:
        self._see()

    @action(timeout=10)
    def demote(self) -> None:
        self._see()

    @action(timeout=10)
    def stop(self) -> None:
        self._see()

    @action(timeout=10)
    def reload_agent(self) -> None:
        self._see()

    @action(timeout=10, interval=5)
    def monitor(self) -> ExitCode:
        self._see()
        return self.alive(promoted=False)


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]):  # type: ignore[no-untyped-def]
    """Call an action; its exit status, what it saw of (max_lag, password), and its exit reason."""

    def call(name: str, recurring: bool = True, **values: str) -> tuple[int, tuple[float, str] | None, str]:
        SEEN.clear()
        environ = {f"OCF_RESKEY_{key}": value for key, value in values.items()}
        environ.update(OCF_RESOURCE_INSTANCE="toy", BACKSTAY_RUN=str(tmp_path), HA_LOGFILE="/dev/null")
        if recurring:
            environ["OCF_RESKEY_CRM_meta_interval"] = "5000"
        code = main(Toy, ["toy", name], environ)
        return code, SEEN[0][1:] if SEEN else None, capsys.readouterr().err

    return call


def test_a_start_refuses(run) -> None:  # type: ignore[no-untyped-def]
    code, seen, said = run("start", max_lag="5x", password="old")
    assert (code, seen) == (ExitCode.ERR_CONFIGURED, None) and "max_lag=5x" in said


@pytest.mark.parametrize("name", ["monitor", "promote", "demote", "reload-agent"])
def test_what_runs_goes_on_with_the_last_values_that_fitted(run, name: str) -> None:  # type: ignore[no-untyped-def]
    assert run("start", max_lag="7s", password="old")[0] == 0
    code, seen, said = run(name, max_lag="5x", password="new")
    assert seen == (7.0, "old")
    assert code == (ExitCode.DEGRADED if name == "monitor" else ExitCode.SUCCESS)
    assert name != "monitor" or ("max_lag=5x" in said and "the values before it are in use" in said)
    assert run(name, max_lag="6s", password="new")[:2] == (0, (6.0, "new"))


def test_values_that_do_not_go_together_are_left_as_well(run) -> None:  # type: ignore[no-untyped-def]
    run("start", max_lag="7s", password="max_lag")
    assert run("monitor", max_lag="11s", password="max_lag")[1] == (7.0, "max_lag")


def test_without_a_memory_only_what_does_not_fit_is_left_out(run) -> None:  # type: ignore[no-untyped-def]
    code, seen, said = run("monitor", max_lag="5x", password="new")
    assert (code, seen) == (ExitCode.DEGRADED, (5.0, "new")) and "its default is in use" in said
    assert run("demote", max_lag="5x")[:2] == (0, (5.0, ""))


def test_a_probe_and_a_stop_never_fail_for_it(run) -> None:  # type: ignore[no-untyped-def]
    assert run("monitor", recurring=False, max_lag="5x")[:2] == (0, (5.0, ""))
    assert run("stop", max_lag="5x")[:2] == (0, (5.0, ""))


def test_any_text_is_remembered(run) -> None:  # type: ignore[no-untyped-def]
    odd = "a'b\"\n€\\"
    run("start", max_lag="7s", password=odd)
    assert run("monitor", max_lag="5x", password="new")[1] == (7.0, odd)


def test_no_secret_of_before_is_shown(run, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    run("start", max_lag="7s", password="confidential")
    assert (tmp_path / "toy/parameters").stat().st_mode & 0o077 == 0
    _, _, said = run("monitor", max_lag="confidential", password="new")
    assert "confidential" not in said
