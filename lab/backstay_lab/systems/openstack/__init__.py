"""A control plane: MySQL with readers, HAProxy and RabbitMQ on the same nodes. Instances are booted through all of them."""
