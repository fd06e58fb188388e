"""The only room that knows slicer and vtk: MRML nodes to plain objects and back."""
