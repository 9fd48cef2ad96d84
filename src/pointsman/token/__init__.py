"""Token level: a small and a large model write one text. See `docs/token.md`."""
