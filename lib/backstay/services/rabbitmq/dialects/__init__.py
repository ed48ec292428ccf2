"""What differs between RabbitMQ's families: base.py has what they share, mnesia.py is 3.x, khepri.py 4.x."""

from __future__ import annotations

from backstay.ocf.errors import NotInstalled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.services.rabbitmq.dialects.base import Dialect


def dialect_for(version: str) -> Dialect:
    """For a version such as 3.10.8. Raises NotInstalled for one that is too old."""
    numbers = tuple(int(part) for part in version.split("-")[0].split("+")[0].split(".") if part.isdigit())
    if not numbers or numbers < (3, 8):
        raise NotInstalled(f"RabbitMQ {version or 'of unknown version'} is not supported: 3.8 or later is needed")
    if numbers[0] == 3:
        from backstay.services.rabbitmq.dialects.mnesia import Mnesia

        return Mnesia(numbers)
    from backstay.services.rabbitmq.dialects.khepri import Khepri

    return Khepri(numbers)
