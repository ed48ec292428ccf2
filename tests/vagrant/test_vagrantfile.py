"""The Vagrantfile, by Vagrant's own judgement."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import CHECKOUT  # type: ignore[import-not-found]

from backstay.host import command


def test_vagrant_finds_it_valid(tmp_path: Path) -> None:
    assert command.available("vagrant"), "`make setup-vagrant` installs it"
    settings = {
        "HOME": str(tmp_path),
        "VAGRANT_HOME": str(tmp_path / "home"),
        "VAGRANT_DOTFILE_PATH": str(tmp_path / "state"),
        "VAGRANT_CWD": str(CHECKOUT),
        "VAGRANT_CHECKPOINT_DISABLE": "1",
    }
    # Only the provider that is installed is asked; what a provider alone understands is its own affair.
    done = command.run(["vagrant", "validate", "--ignore-provider"], timeout=60, env=settings)
    assert "validated successfully" in done.out
    found = command.run(["vagrant", "status", "--machine-readable"], timeout=60, env=settings).out
    names = [line.split(",")[1] for line in found.splitlines() if line.split(",")[2] == "state"]
    assert names == ["n1", "n2", "n3"]
