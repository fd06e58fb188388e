"""The only room that knows qt: the work of the module's panel, above mrml. Names follow Slicer's habit (camelCase)."""
