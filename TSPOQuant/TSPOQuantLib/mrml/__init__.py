"""MRML nodes to plain objects and back: beside panel/ the only room that knows slicer and vtk."""
