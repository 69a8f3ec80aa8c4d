"""Takes a judge's model through the stages of a run file, in order, and measures it before and after each."""
