"""`backstay doctor` for HAProxy: what validate-all at level 10 says, with what to do about a configuration that is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backstay.host.command import available
from backstay.ocf.errors import AgentError
from backstay.services.haproxy import daemon, reload

if TYPE_CHECKING:
    from backstay.services.haproxy.context import HaproxyContext


def findings(context: HaproxyContext) -> list[str]:
    """Sentences, each "what is wrong: what to do"."""
    config = context.parameters.config
    try:
        reload.check(context, context.layout(complete=True))
    except daemon.Refused as refused:
        return [f"{refused}: correct it until `haproxy -c -f {config}` accepts it"]
    except AgentError as error:
        return [str(error)]
    given = context.parameters
    if given.address and given.on_loss == "hold" and not available("nft"):
        return [
            "nft is not installed, so a failover refuses clients for a moment: install nftables, or set on_loss=refuse"
        ]
    return []
