"""The report of a run: one dictionary built from the folded records, and its forms. Pure functions."""

from migrator.report.data import build_report
from migrator.report.markdown import to_markdown

__all__ = ["build_report", "to_markdown"]
