"""What `backstay status` prints."""

from __future__ import annotations

import io

from tests.decisions.cluster_values import cluster  # type: ignore[import-not-found]

from backstay.admin.status import console, screen
from backstay.cluster.model import Finding
from backstay.services.catalogue import advices_of


def test_off_a_terminal_no_command_is_folded() -> None:
    remedy = "mend the cause, then: crm_resource --cleanup --resource a-resource-with-a-long-name --node a-node-with-a-long-name"
    sink = io.StringIO()
    of = cluster()
    console(sink).print(screen(of, advices_of(of), [Finding("error", "mysql on n1", "it failed", remedy)]))
    assert remedy in sink.getvalue()
