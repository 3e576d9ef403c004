"""The wizard: screens over runs. It reads, draws, and leaves orders; it never changes anything itself."""
