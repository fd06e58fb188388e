"""TSPOQuant: neuroinflammation in the neck, measured from a dynamic TSPO PET and a CT.

The rooms stand in the order in which a study's data walks through them: acquisition, alignment, regions,
input_function, kinetics, outcome, reporting. A room imports only rooms before it; pipeline/ is the corridor.
Only mrml/ knows Slicer, and panel/ Qt as well.

Units inside: seconds for times of images and blood, minutes inside kinetics, kBq/mL for activity, mm for lengths,
LPS for coordinates (RAS only in mrml/ and panel/).

For research use only; not a medical device.
"""

__version__ = "0.1.0"
DISCLAIMER = "For research use only; not a medical device."
