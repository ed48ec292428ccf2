"""What the parts of this agent share: the parameters, and what every agent has at hand."""

from backstay.agent.context import Context
from backstay.services.vip.parameters import VipParameters


class VipContext(Context):
    parameters_class = VipParameters
    parameters: VipParameters
