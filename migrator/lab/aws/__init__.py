"""The emulated AWS account: moto in a process of its own, with what it lacks added beside it."""
