"""DICOM, NIfTI and PET-BIDS in; frames, units, decay, SUV, blood, segmentations."""
