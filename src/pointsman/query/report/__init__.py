"""The report of a ledger: one page of HTML that needs no network."""

from pointsman.query.report.collecting import Collected, collect
from pointsman.query.report.page import to_html

__all__ = ["Collected", "collect", "to_html"]
