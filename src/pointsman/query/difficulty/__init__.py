"""From features to forecasts: one shared difficulty, learners behind one interface, and how they are stacked."""
