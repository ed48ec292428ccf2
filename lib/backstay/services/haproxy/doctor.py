"""`backstay doctor` for HAProxy: what validate-all at level 10 says, with what to do about a configuration that is refused."""

from backstay.ocf.errors import AgentError, WrongParameter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.services.haproxy.agent import Haproxy


def findings(agent: "Haproxy") -> "list[str]":
    """Sentences, each "what is wrong: what to do"."""
    try:
        agent.check_host()
    except WrongParameter as refused:
        if str(refused).startswith(agent.config):  # HAProxy's own words, with file and line
            return [f"{refused}: correct it until `haproxy -c -f {agent.config}` accepts it"]
        return [str(refused)]
    except AgentError as error:
        return [str(error)]
    return []
