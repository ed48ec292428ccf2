"""One call of one agent: what it has at hand (context), the way from the exec to the exit code (dispatch), its log (log),
and how a running instance says that it is degraded (degraded)."""
