"""Other ways to leave units out, published ones and controls, in the same engine and under the same prices."""
