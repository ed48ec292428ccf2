"""One call of one agent: what it has at hand (context), from the exec to the exit code (dispatch), what it logs, and how an
instance that runs degraded tells it (degraded)."""
