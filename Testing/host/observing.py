"""Observers of nodes that end with their owner, in the order that the garbage collector needs."""

import weakref

import vtk


def observe(owner, node, callback, priority=0.0):
    """Call ``callback`` when the node is modified, until the owner is gone; returns the observer's tag.

    callback must not hold the owner. The node's Python object is kept until then: where it is collected as part of a
    cycle while the scene still has the node, the collector empties the callback too, and VTK calls it all the same.
    """
    tag = node.AddObserver(vtk.vtkCommand.ModifiedEvent, callback, priority)
    weakref.finalize(owner, node.RemoveObserver, tag).atexit = False
    return tag
