"""Planning a training before it runs (``--plan``): parameters, memory by part, disk, hours; no weights are needed."""
