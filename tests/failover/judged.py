"""What a test takes for a finding: all that `rehearse` and `campaign` do, but for holes in the samples. They tell of the machine,
and one that runs the tests may do other things as well; they are printed."""

from __future__ import annotations

from backstay_lab.campaign.runner import Report
from backstay_lab.checkers.rules import Finding
from backstay_lab.checkers.writes import Verdict
from backstay_lab.run.rehearsal import Outcome


def is_clean(outcome: Outcome) -> bool:
    print(outcome.verdict)
    verdict = outcome.verdict._replace(holes=()) if isinstance(outcome.verdict, Verdict) else outcome.verdict
    return bool(verdict.clean) and not outcome.unsilenced


def broken_rules(report: Report) -> list[Finding]:
    print(*report.findings, sep="\n")
    return [finding for finding in report.findings if finding.rule != "unsampled"]
