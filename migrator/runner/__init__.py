"""The runner: a process of its own that leads one run, and the composition root that names concrete tools."""
