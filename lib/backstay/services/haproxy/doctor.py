"""`backstay doctor` for HAProxy: what validate-all at level 10 says, with what to do about a configuration that is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backstay.ocf.errors import AgentError, WrongParameter
from backstay.services.haproxy import reload

if TYPE_CHECKING:
    from backstay.services.haproxy.context import HaproxyContext


def findings(context: HaproxyContext) -> list[str]:
    """Sentences, each "what is wrong: what to do"."""
    config = context.parameters.config
    try:
        reload.check(context, context.layout(complete=True))
    except WrongParameter as refused:
        if str(refused).startswith(config):  # HAProxy's own words, with file and line
            return [f"{refused}: correct it until `haproxy -c -f {config}` accepts it"]
        return [str(refused)]
    except AgentError as error:
        return [str(error)]
    return []
