"""How a CT with a PET over it is shown, in Slicer's views and in pictures alike: choices of ours."""

CT_WINDOW_HU = 1400.0
CT_LEVEL_HU = 300.0
"""Width and middle of the gray scale, which show bone with soft tissue."""
PET_OPACITY = 0.5
"""Share of the PET in the mixture."""
