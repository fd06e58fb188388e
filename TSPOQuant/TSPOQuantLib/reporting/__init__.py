"""Tables, figures, reports and the files that others can use."""
