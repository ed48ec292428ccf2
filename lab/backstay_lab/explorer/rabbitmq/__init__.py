"""A cluster of RabbitMQ brokers as a small world."""
