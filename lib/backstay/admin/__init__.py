"""The admin's part of the command line: render, status, doctor, switchover, explain.

Each command is three: a client that gathers values, a pure module that says what they mean, and the command that shows it.
What differs by service is in `services`: one small part per agent, looked up by the agent's type.
"""
