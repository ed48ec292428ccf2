"""Makes packages importable that are not the interpreter's own, for the few actions that need one. Agents start without the
directories of such packages (python3 -S): to look through them costs a fifth of a monitor."""

import sys


def reach() -> None:
    """Make the system's packages importable from now on. Call it where one is imported."""
    if not sys.flags.no_site:
        return
    import site

    sys.path += [directory for directory in site.getsitepackages() if directory not in sys.path]
