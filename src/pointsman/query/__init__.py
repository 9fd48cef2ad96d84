"""Which arm answers a request: forecasts, prices, the policy and its guarantee; memory, solver, savings, alarms."""
