"""What the rest of the product must know of this service."""

from backstay.services.declaration import Service

SERVICE = Service(units=("rabbitmq-server",), programs=("beam.smp", "epmd", "rabbitmq-server"), files=65536)
