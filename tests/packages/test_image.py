"""The building of an image, with a real archive and with what happens to archives."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from backstay.ocf.errors import CommandFailed
from backstay_lab.machines import image


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recipe that builds in seconds, and a cache of its own."""
    monkeypatch.setenv("BACKSTAY_CACHE", str(tmp_path))
    monkeypatch.setattr(image, "PREPARE", "true")
    monkeypatch.setattr(image, "RECIPES", {"bookworm": ["tini"]})
    return tmp_path


def test_an_archive_that_fails_once_is_asked_again(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKSTAY_MIRROR", "file:///nowhere")
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        if line.endswith("trying again"):
            monkeypatch.delenv("BACKSTAY_MIRROR", raising=False)

    root = image.ensure("bookworm", say)
    assert os.access(os.path.join(root, "usr/bin/tini"), os.X_OK)
    assert sum(line.endswith("trying again") for line in said) == 1, said


def test_what_cannot_be_built_says_what_apt_said(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKSTAY_MIRROR", "file:///nowhere")
    said: list[str] = []
    with pytest.raises(CommandFailed, match=r"could not build the image bookworm: .*file:/nowhere"):
        image.ensure("bookworm", said.append)
    assert len(said) == 3
    assert not [path for path in (small / "images").iterdir() if path.is_dir() and path.suffix != ".partial"]
