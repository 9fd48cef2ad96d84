"""The ledger of decisions and true costs: a SQLite file that is only ever added to.

with open_ledger("ledger.db") as ledger:
    ledger.append(Entry(request_id, time_us, "query", decision, reference="model/large"))
    ledger.settle(request_id, outcome)
for entry in read_entries("ledger.db"):
    ...
"""

from pointsman.gateway.ledger.reader import count_entries, read_entries, read_grids
from pointsman.gateway.ledger.rows import Grid
from pointsman.gateway.ledger.writer import Ledger, LedgerStatus, open_ledger

__all__ = ["Grid", "Ledger", "LedgerStatus", "count_entries", "open_ledger", "read_entries", "read_grids"]
