"""ocf:backstay:rabbitmq: one broker of a RabbitMQ cluster, an instance of a promotable clone."""
