"""The query level: which arm answers a request."""
