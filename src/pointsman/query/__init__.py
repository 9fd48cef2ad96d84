"""Which arm answers a request: forecasts, prices, the policy and its guarantee; memory, solver and ledger beside it."""
