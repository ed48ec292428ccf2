"""What the rest of the product must know of this service."""

from backstay.services.declaration import Service

SERVICE = Service(units=("haproxy",), programs=("haproxy",))
