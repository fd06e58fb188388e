"""Foramina and cord: levels and sides, fractional sampling of the PET, partial-volume correction."""
