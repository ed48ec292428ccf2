"""The corpus of configurations: how large it is, that each has its source and verdict, and that what reads a configuration
without its daemon reads each of them, and each damaged one."""

from __future__ import annotations

import os
import re
from collections.abc import Callable

import pytest
from tests.conftest import CHECKOUT  # type: ignore[import-not-found]
from tests.corpus import agreement, mutate, table  # type: ignore[import-not-found]

from backstay.admin import corosync_file, preflight
from backstay.cluster.xml import read
from backstay.ocf.errors import AgentError
from backstay.services.haproxy.health import complaint
from backstay.services.haproxy.server_state import Configuration, keep, unchanged
from backstay.services.mysql.daemon import refusal
from backstay.services.rabbitmq import erlang_text
from backstay.services.rabbitmq.etf import Malformed

MUTANTS = int(os.environ.get("BACKSTAY_FUZZ", "40"))
SOURCE = re.compile(r"[\w.-]+/[\w.-]+(#\d+|:\S+)$|https?://\S+$")
MON = "<pacemaker-result><summary/><nodes/><resources/></pacemaker-result>"


def text_of(entry: table.Entry) -> str:
    return "\n".join(data.decode("utf-8", "replace") for data in entry.files.values())


# -- the corpus --------------------------------------------------------------------------------------------------------


def test_it_is_large_enough_and_each_has_a_source_and_a_verdict() -> None:
    entries = table.everything()
    assert len(entries) >= 300
    assert len({(entry.service, entry.name) for entry in entries}) == len(entries)
    assert [entry.name for entry in entries if not SOURCE.match(entry.source)] == []
    for service in table.SERVICES:
        verdicts = agreement.recorded(service)
        assert list(verdicts) == [entry.name for entry in table.read(service)]
        assert 0 < sum(verdicts.values()) < len(verdicts)


def directives(entry: table.Entry) -> set[str]:
    """Words that stand where a directive's name does."""
    text = text_of(entry)
    if entry.service == "cib":
        return set(re.findall(r'<([a-z_-]+)|nvpair [^>]*name="([\w-]+)"', text) and re.findall(r"<([a-z_-]+)", text))
    names = {line.split("#")[0].strip() for line in text.splitlines()}
    return {re.split(r"[\s=:{]", name.lstrip("-"))[0] for name in names if name and name[0] not in "[!<;%"}


def test_sixty_and_more_hold_a_directive_that_the_code_never_mentions() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in (CHECKOUT / "lib").rglob("*.py")).replace("_", "-")
    new = [
        entry
        for entry in table.everything()
        if any(len(word) > 3 and word.replace("_", "-") not in code for word in directives(entry))
    ]
    assert len(new) >= 60


# -- what reads without a daemon ---------------------------------------------------------------------------------------


def haproxy(text: str) -> None:
    configuration = Configuration(text)
    keep("1\n", unchanged(configuration, configuration), configuration)
    complaint(text)


def corosync(text: str) -> None:
    made, names = corosync_file.values(corosync_file.parse(text), {})
    assert made.nodes >= 0 and made.token >= 0 and all(names)
    list(preflight.timing(made))


def cib(text: str) -> None:
    try:
        cluster = read(MON, text)
    except AgentError as error:
        assert str(error)
        return
    list(preflight.options(cluster))
    list(preflight.fencing(cluster, None))
    list(preflight.room(cluster))
    for resource in cluster.resources:
        list(preflight.expiry(resource))
        list(preflight.timeouts(resource, {"start": 60.0, "monitor": 20.0}))


def rabbitmq(text: str) -> None:
    try:
        erlang_text.parse(text)
    except Malformed as error:
        assert str(error)


READERS: dict[str, Callable[[str], None]] = {
    "haproxy": haproxy,
    "mysql": lambda text: None if refusal(text).isprintable() else pytest.fail(text),
    "rabbitmq": rabbitmq,
    "corosync": corosync,
    "cib": cib,
}


@pytest.mark.parametrize("service", table.SERVICES)
def test_each_is_read_and_each_damaged_one(service: str) -> None:
    entries = table.read(service)
    for entry in [*entries, *mutate.mutants(entries, 1, MUTANTS)]:
        READERS[service](text_of(entry))
