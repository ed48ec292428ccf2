"""What the agents keep in /run and publish is declared once, under names that stay."""

from __future__ import annotations

import pytest
from tests.rules import state_page  # type: ignore[import-not-found]

from backstay.cluster.attributes import Attribute
from backstay.host.state_files import StateFile

# What 0.1 (3af6ab2) kept and published, which an upgrade under load and clusters of both versions depend on. Never shorter.
AGENT = {"attributes", "check", "standing"}
WATCHER = {"calm", "silent", "stopping", "told", "verdict", "watch.lock"}
FILES = {
    "Every agent": AGENT,
    "The watcher": WATCHER,
    "HAProxy": {"agent.cfg", "frontends", "haproxy.log", "loaded", "master", "master.sock", "promoted", "refused",
                "server-dump", "server-state", "text"},
    "MySQL": {"accounts", "closed", "errant", "passwords", "promoted", "readable", "reader", "reader-complaint",
              "reader.log", "rebuild", "rebuild-failed", "rebuild-lock", "rebuild-log", "rechecked", "refusal", "reviewed",
              "trusted", "waiting"},
    "RabbitMQ": {".conf.d", "account", "booting", "facts", "partition", "process", "promoted", "short", "unanswered"},
    "Addresses": {"place"},
}  # fmt: skip
PUBLISHED = {
    "master-db": True, "db-readable": True, "db-state": True, "db-up-web": True, "db-facts": True,
    "db-lag": False, "db-data": False, "db-leaving": False, "db-held": False,
}  # fmt: skip
MODULES = state_page.declaring()
DECLARED = [(name, one) for name in MODULES for one in state_page.declared(name)]


def files(part: str) -> list[str]:
    return [one.name for name, one in DECLARED if isinstance(one, StateFile) and state_page.part(name) == part]


def test_the_page_is_what_the_code_declares() -> None:
    assert state_page.PAGE.read_text() == state_page.page(), "run tests.rules.state_page"


@pytest.mark.parametrize("name", MODULES)
def test_each_is_declared_at_the_top_of_its_module(name: str) -> None:
    """What is made elsewhere nobody finds: neither this page nor a reader."""
    assert MODULES[name] == len(state_page.declared(name))


@pytest.mark.parametrize("part", FILES)
def test_files_keep_the_names_of_the_first_version(part: str) -> None:
    assert FILES[part] <= set(files(part))


def test_attributes_keep_the_names_and_the_audience_of_the_first_version() -> None:
    found = {one.of("db", "web"): one.public for _, one in DECLARED if isinstance(one, Attribute)}
    assert found == PUBLISHED


@pytest.mark.parametrize("service", state_page.SERVICES.values())
def test_no_two_files_of_a_resource_have_one_name(service: str) -> None:
    found = files("Every agent") + files("The watcher") + files(service)
    assert len(found) == len(set(found))


def test_all_say_what_they_hold_and_what_their_loss_costs() -> None:
    for name, one in DECLARED:
        assert one.meaning and one.lost and "|" not in one.meaning + one.lost, (name, one)
