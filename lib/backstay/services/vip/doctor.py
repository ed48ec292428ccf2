"""`backstay doctor` for an address: whether this host could hold it, and has what it needs elsewhere than at home."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backstay.host.command import available
from backstay.services.vip.namespace import Inside
from backstay.services.vip.place import find_place
from backstay.services.vip.rtnetlink import Link

if TYPE_CHECKING:
    from backstay.services.vip.context import VipContext


def findings(context: VipContext) -> list[str]:
    """Sentences, each "what is wrong: what to do". Raises AgentError when the address has no place here."""
    with Inside(context.parameters.namespace()):
        find_place(context, Link(), usable=False)
    if context.parameters.home and not available("nft"):
        what = f"nft is not installed, so clients are served here while {context.parameters.home} is lost, and cut off later"
        return [f"{what}: install nftables"]
    return []
