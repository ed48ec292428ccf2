"""Does what a protocol says next (ocf/steps.py), and tells it the answer, until it ends. It decides nothing."""

from __future__ import annotations

from backstay.ocf.errors import AgentError, TimedOut
from backstay.ocf.steps import FAILED, FAILURE, UNKNOWN, Verb

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.host.deadline import Deadline
    from backstay.ocf.steps import End, Steps


def carry_out(steps: Steps, verbs: object, deadline: Deadline) -> End:
    """verbs: has a method for each verb, which takes a deadline and the arguments. Raises what a verb raised, where the protocol
    ends by that."""
    failure: AgentError | None = None
    todo = steps.next()
    while isinstance(todo, Verb):
        try:
            answer = getattr(verbs, todo.name)(deadline.within(todo.seconds), *todo.arguments)
        except AgentError as error:
            answer, failure = UNKNOWN if isinstance(error, TimedOut) else FAILED, error
        steps = steps.told(answer)
        todo = steps.next()
    if failure and todo.kind == FAILURE:
        raise failure
    return todo
