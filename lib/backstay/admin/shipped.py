"""Where the files are that come with the library and are no modules of it: the agents, the templates, the command."""

from __future__ import annotations

import os

_LIBRARY = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
_WHEEL = os.path.join(_LIBRARY, "share")  # setup.py puts them there
_CHECKOUT = os.path.dirname(os.path.dirname(_LIBRARY))
# Part -> its directory as `make install` and the Debian packages have it.
_INSTALLED = {
    "agents": "/usr/lib/ocf/resource.d/backstay",
    "bin": "/usr/bin",
    "crm-templates": "/usr/share/backstay/crm-templates",
}
PARTS = tuple(_INSTALLED)
_COMMAND = "backstay"


def directory(part: str) -> str:
    """Of a part, by its name in a checkout. It need not exist where only the library is installed."""
    near = (os.path.join(place, part) for place in (_WHEEL, _CHECKOUT))
    return next(filter(os.path.isdir, near), _INSTALLED[part])


def files(part: str) -> list[str]:
    """The paths of a part's files, sorted; none where only the library is installed."""
    place = directory(part)
    names = sorted(os.listdir(place)) if os.path.isdir(place) else []
    wanted = [name for name in names if part != "bin" or name == _COMMAND]  # /usr/bin has others too
    return [path for path in (os.path.join(place, name) for name in wanted) if os.path.isfile(path)]
