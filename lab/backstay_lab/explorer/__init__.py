"""Every order of events of a small world, up to a bound, with the steps and decisions that the agents run."""
