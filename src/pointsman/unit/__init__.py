"""The unit level: inside one model, execute a block's attention or MLP, or forecast what it would add."""
