"""Report graphs: what is observed where, and what says more about it (the CN-RadGraph schema)."""
