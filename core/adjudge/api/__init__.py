"""What the author of a plugin reads: values, options, kinds of component, hooks, and what a stage and a run offer."""
