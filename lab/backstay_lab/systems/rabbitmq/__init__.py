"""The RabbitMQ cluster: a broker on every node. Besides what every system has: `lost_copies`, of mirrored queues."""
