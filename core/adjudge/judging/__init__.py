"""From problem to request, path, verdict and metric; the only place where a metric is defined."""
