"""Frame-to-frame motion, PET to CT, visit to visit, resampling."""
