"""Which arm answers a request: forecasts, prices, the policy and its guarantee; solver, savings, alarms."""
