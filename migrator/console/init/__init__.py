"""`migrator init`: questions, or values on the command line, become a commented migration.yaml."""

from migrator.console.init.command import InitControl, InitOptions, run_init

__all__ = ["InitControl", "InitOptions", "run_init"]
