"""What differs between RabbitMQ 3 with Mnesia and RabbitMQ 4 with Khepri."""
