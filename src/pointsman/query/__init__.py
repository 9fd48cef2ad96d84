"""The query level: which arm answers a request, and with what budget."""
