"""The services: a folder here is one agent, and all that the product knows of it. No folder imports another."""
