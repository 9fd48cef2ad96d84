"""The query level: which arm answers a request, and what that saves."""
