"""Many people: how well a measurement repeats, what differs between groups, what goes with what."""
