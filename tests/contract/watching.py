"""What a watcher has loaded, for scripts as acting.py has them."""

from __future__ import annotations

# watched MODULE:CLASS PID START: be the watcher of a process until an action ends that, and print `loaded=MODULES`
WATCHED = r"""
cat > /tmp/watched.py <<'END'
import sys
module, name = sys.argv[1].split(":")
__import__(module)
from backstay.watch.daemon import main
code = main(getattr(sys.modules[module], name), sys.argv)
print(f"loaded={code}", *sorted(name for name, module in sys.modules.items() if module is not None))
END
watched() { python3 /tmp/watched.py "$@"; }
"""


def of_service(loaded: str, service: str) -> set[str]:
    """The service's own modules among those that `watched` printed. No actions are among them, of whatever service."""
    code, *modules = loaded.split()
    assert code == "0", loaded
    assert "backstay.agent.dispatch" not in modules
    prefix = f"backstay.services.{service}."
    found = {name.removeprefix(prefix) for name in modules if name.startswith(prefix)}
    assert "agent" not in found
    return found
